"""A model's predictions into Label Studio, against a loop over its SDK."""

from __future__ import annotations

from functools import partial

from support.kernel import Kernel
from support.label_studio import BareLabelStudio

from .bench import OWNER, PASSWORD, TEXT_CONFIG, Bench, add_tasks, alternate, measures
from .results import Compare, Row, Sample, Table
from .servers import Chain

COUNT = 10_000
LOOPED = 100  # a loop over all of them takes a quarter of an hour
FRAME, LOOP = "add_predictions", "a loop over the SDK"
SETUP = """
import itertools, time
import labelstudio_proxy as lsp
sdk = lsp.connect()
project = lsp.project({project})
frame = project.to_dataframe(unlabelled=True)[["task_id"]]
frame = frame.assign(label=["Yes", "No"] * (len(frame) // 2), score=0.5)
versions = itertools.count()

def seconds(action):
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin

def loop():
    version = f"loop {{next(versions)}}"
    for row in frame.head({looped}).itertuples():
        result = {{"choices": [row.label]}}
        entry = {{"from_name": "choice", "to_name": "text", "type": "choices", "value": result}}
        sdk.predictions.create(
            task=row.task_id, score=row.score, model_version=version, result=[entry]
        )
"""
CODE = {
    FRAME: 'seconds(lambda: project.add_predictions(frame, f"frame {next(versions)}"))',
    LOOP: "seconds(loop)",
}


@measures("predictions")
def predictions(bench: Bench) -> list[Row | Table]:
    data_dir = bench.started_data_dir()
    count, looped = bench.size(COUNT), bench.size(LOOPED)
    filling = BareLabelStudio(data_dir, email=OWNER, env={"LABEL_STUDIO_PASSWORD": PASSWORD})
    try:
        fields = {"title": f"{count} predictions", "label_config": TEXT_CONFIG}
        project: int = filling.post("api/projects", json=fields).json()["id"]
        add_tasks(filling, project, count)
    finally:
        filling.stop()
    chain = Chain(bench, data_dir)
    with Kernel(chain.jupyter) as kernel:
        kernel.run(SETUP.format(project=project, looped=looped))

        def measure(way: str) -> float:
            found: float = kernel.json(CODE[way])
            return found

        runs = alternate(bench.times(3), {way: partial(measure, way) for way in CODE})
    return [
        Row(
            key="predictions",
            what=f"{count:,} predictions in",
            unit="s",
            compare=Compare.RATIO,
            target=1 / 20,
            ours=Sample.of(runs[FRAME]),
            against=Sample.of([each * count / looped for each in runs[LOOP]]),
            against_name=LOOP,
            notes=(f"The loop was measured with {looped} predictions, and its time multiplied.",),
        )
    ]
