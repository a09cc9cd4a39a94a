"""`lamina evaluate PROTOCOL --data DIR --results DIR [-o OUT]`."""

from lamina import EvaluateConfig, evaluate_results
from lamina.cli.task import Task
from lamina.cli.voice import Voice


def run(config: EvaluateConfig, voice: Voice) -> int:
    evaluation = evaluate_results(config, voice.report)
    files = [str(path) for path in evaluation.files]
    values = {"mean": evaluation.mean, "baseline_mean": evaluation.baseline_mean, "files": files}
    voice.result(values, "\n".join([evaluation.summary, "", *files]))
    return 0


TASK = Task(EvaluateConfig, run)
