# JupyterHub with a container for each user; see docs/hosts/jupyterhub-docker.md.

c = get_config()

c.JupyterHub.spawner_class = "docker"

# docker build --tag jupyter-label-studio examples/jupyterhub-docker
c.DockerSpawner.image = "jupyter-label-studio"

# Each user's home folder is on a volume. Projects and labels are in it, too.
c.DockerSpawner.volumes = {"jupyterhub-user-{username}": "/home/jovyan"}

# A new container at each start, so that a new image is used.
c.DockerSpawner.remove = True

# docker network create --subnet 172.28.0.0/24 jupyterhub
c.DockerSpawner.network_name = "jupyterhub"
c.JupyterHub.hub_ip = "172.28.0.1"  # this machine, in that network
