#!/bin/bash
# Lifecycle configuration for Amazon SageMaker: adds the tile *Label Studio* to JupyterLab.
#
# The start script of a notebook instance, or the script of a JupyterLab space in Studio. A start resets
# JupyterLab's environment. This script installs the tile again, and keeps everything else in the folder
# that survives. docs/hosts/sagemaker.md says more.
set -u

# For a certain version: labelstudio-proxy==<version>
PACKAGE=${PACKAGE:-labelstudio-proxy}

if [ -d /home/ec2-user/SageMaker ]; then
    user=ec2-user # of a notebook instance, which runs this script as root
    jupyter=/home/ec2-user/anaconda3/envs/JupyterSystemEnv
    kept=/home/ec2-user/SageMaker/.labelstudio-proxy-software
    restart=(systemctl --no-block restart jupyter-server)
else
    user=sagemaker-user # of Studio, which runs this script as this user
    jupyter=/opt/conda
    kept=/home/sagemaker-user/.labelstudio-proxy-software
    restart=(restart-jupyter-server)
fi

as_user() {
    if [ "$(id -un)" = "$user" ]; then
        "$@"
    else
        runuser -u "$user" -- env HOME="/home/$user" PATH="$jupyter/bin:$PATH" "$@"
    fi
}

pip() {
    # SageMaker gives up after five minutes
    as_user timeout 90 "$jupyter/bin/python" -m pip --disable-pip-version-check "$@"
}

install_tile() {
    pip install --quiet --no-index --find-links "$kept/wheels" "$PACKAGE"
}

cd / || exit
as_user mkdir -p "$kept/wheels" "$jupyter/etc/jupyter/jupyter_server_config.d"

# The wheels of the last start, so that a start needs no network and changes no version.
if ! install_tile 2>/dev/null &&
    ! { pip download --quiet --dest "$kept/wheels" "$PACKAGE" && install_tile; }; then
    echo "labelstudio-proxy could not be installed. JupyterLab starts without its tile."
    exit 0 # SageMaker would not start the machine
fi

# Label Studio reads S3 with the role of the notebook. Remove this if it should not.
as_user tee "$jupyter/etc/jupyter/jupyter_server_config.d/labelstudio-proxy-sagemaker.json" >/dev/null <<'EOF'
{"LabelStudioProxy": {"aws_credentials": true}}
EOF
"${restart[@]}"

# In the background, because Label Studio has 1 GB. It is in the folder that survives.
# shellcheck disable=SC2016
as_user nohup bash -c 'date; "$1" install && "$1" prepare' bash "$jupyter/bin/labelstudio-proxy" \
    </dev/null >>"$kept/log" 2>&1 &
echo "The tile is installed. $kept/log has the progress of Label Studio's installation."
