"""The one place that calls lm-evaluation-harness, and that translates what goes wrong with it.

Importing this module needs the extra `eval`; `readhead.evaluation` does so when questions are asked.

1. A task is looked for in the files that ship, then in the user's folder, and only then among the harness's own,
   thousands of files that take seconds to read.
2. The data of local tasks are read into memory, through a cache folder that is removed at once. Those of hub tasks
   come through the user's own cache.
3. The harness's own model class asks the questions, of the model as it is: no weight, mode or tokenizer is changed.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import importlib.resources
import json
import logging
import sys
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import datasets
import lm_eval.api.task
import yaml
from huggingface_hub import HfApi
from lm_eval.evaluator import evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from readhead.attention import input_device, run_batch
from readhead.errors import ModelError, ReadheadError, TaskError
from readhead.evaluation import TaskScore
from readhead.models import evaluating, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from readhead.library import Report
    from readhead.models import LoadedModel

SHIPPED = Path(str(importlib.resources.files("readhead") / "bundled" / "tasks"))
"""The folder of the tasks that need neither a network nor files of the user's."""
METRICS = ("acc_norm", "acc")
"""The first of these that a task has is told."""

_LOCAL_FORMATS = ("arrow", "csv", "json", "parquet", "text")
"""What `dataset_path` says of data that are files, and no data set of the hub."""
_OF_GROUPS = {"aggregate_metric_list", "group", "group_alias", "metadata", "tag", "task"}
"""What a group's file may say without changing its tasks."""
_FEWSHOT_SEED = 1234  # the harness's own default, set anew for each run so that all runs see the same examples
_HUB_TIMEOUT_S = 10.0
_OFFLINE_HINT = "`--tasks stories` works without a network, and so do your own task files: --include FOLDER"


# ---- loading tasks ---------------------------------------------------------------------------------------------------


def load_tasks(names: Sequence[str], include: Path | None = None) -> dict[str, Any]:
    """The harness's tasks of these names with their data, by name; a group's name gives all its tasks.

    Raises:
        TaskError: for a task that is unknown, that cannot be read, or that does not ask for a choice.
    """
    with _quiet(), TemporaryDirectory(prefix="readhead-tasks-") as scratch:
        manager = _find(names, include)
        tasks: dict[str, Any] = {}
        for name in (member for named in names for member in _members(manager.task_index, named)):
            if name not in tasks:
                tasks |= _load(manager, name, Path(scratch))
    return tasks


def _find(names: Sequence[str], include: Path | None) -> Any:  # noqa: ANN401 - the harness is not typed
    """A task manager that knows all of `names`."""
    if include is not None and not include.is_dir():
        raise TaskError(f"there is no folder {include}", hint="--include takes a folder with task files (.yaml)")
    folders = [SHIPPED, *([] if include is None else [include.resolve()])]
    manager = TaskManager(include_path=folders, include_defaults=False)
    if all(name in manager.task_index for name in names):
        return manager
    if include is not None:
        _check_files(include)
    manager = TaskManager(include_path=folders)
    for name in names:
        if name not in manager.task_index:
            near = difflib.get_close_matches(name, manager.all_tasks, n=3)
            meant = f"did you mean {' or '.join(near)}? " if near else ""
            raise TaskError(
                f"there is no task {name!r}",
                hint=f"{meant}`stories` ships with Readhead, and `lm-eval ls tasks` lists the harness's own",
            )
    return manager


def _check_files(folder: Path) -> None:
    """Tells of a task file that is no YAML: the harness would leave it out without a word."""
    for path in sorted(folder.rglob("*.yaml")):
        try:
            yaml.compose(path.read_text("utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problem = " ".join(str(error).split())
            raise TaskError(f"the task file {path} cannot be read: {problem}", hint="mend the file") from error


def _members(index: Mapping[str, Any], name: str) -> list[str]:
    """The single tasks of a tag or a group; a group that changes its tasks is left whole, for the harness to build."""
    config = index[name].cfg
    listed = sorted(index[name].tags) if config is None else config.get("task")
    if not isinstance(listed, list) or not set(config or {}) <= _OF_GROUPS:
        return [name]
    if not all(isinstance(member, str) and member in index for member in listed):
        return [name]
    return [single for member in listed for single in _members(index, member)]


def _load(manager: Any, name: str, scratch: Path) -> dict[str, Any]:  # noqa: ANN401 - as above
    entry = manager.task_index[name]
    config = entry.cfg or {}
    is_single = isinstance(config.get("task"), str) and "class" not in config
    if is_single:
        _check_kind(name, config.get("output_type", "generate_until"))
    files = _local_files(config, entry.yaml_path) if is_single else None
    try:
        with _hub_or_cache(config.get("dataset_path")):
            loaded = manager.load([name if files is None else _in_memory(entry, files, scratch)])["tasks"]
    except Exception as error:  # the harness, the data sets, the hub, and templates and functions of the task's
        raise _unreadable(name, config, entry.yaml_path, error, is_local=files is not None) from error
    for task_name, task in loaded.items():
        _check_kind(task_name, task.OUTPUT_TYPE)
        _metric(task)
    return dict(loaded)


def _metric(task: Any) -> str:  # noqa: ANN401 - as above
    """The metric that is told of a task."""
    for metric in METRICS:
        if metric in task.aggregation():
            return metric
    raise TaskError(
        f"the task {task.task_name!r} has no accuracy",
        hint=f"only tasks with a metric {' or '.join(METRICS)} can be asked",
    )


def _check_kind(name: str, output_type: str) -> None:
    if output_type != "multiple_choice":
        raise TaskError(
            f"the task {name!r} asks for {output_type!r} and not for a choice",
            hint="only tasks whose output_type is multiple_choice can be asked",
        )


def _local_files(config: Mapping[str, Any], path: Path | None) -> Any:  # noqa: ANN401 - whatever the file says
    """The `data_files` of a task whose data are local files, the relative ones found beside the task's file."""
    files = (config.get("dataset_kwargs") or {}).get("data_files")
    if config.get("dataset_path") not in _LOCAL_FORMATS or files is None or "://" in str(files):
        return None
    return _beside(files, path.parent) if path else files


def _beside(files: Any, folder: Path) -> Any:  # noqa: ANN401 - as above
    if isinstance(files, dict):
        return {split: _beside(listed, folder) for split, listed in files.items()}
    if isinstance(files, list):
        return [_beside(file, folder) for file in files]
    return str(folder / files) if (folder / files).exists() else files


def _in_memory(entry: Any, files: Any, scratch: Path) -> str:  # noqa: ANN401 - as above
    """A task file that is `entry`'s but for its data, which are read into memory and leave nothing on disk."""
    options = {**entry.cfg["dataset_kwargs"], "data_files": files}
    options |= {"cache_dir": str(scratch / "cache"), "keep_in_memory": True}
    path = scratch / f"{len(list(scratch.glob('*.yaml')))}.yaml"
    changed = {"include": str(entry.yaml_path), "task": entry.name, "dataset_kwargs": options}
    path.write_text(json.dumps(changed), "utf-8")  # JSON is YAML
    return str(path)


@contextmanager
def _hub_or_cache(data_set: str | None) -> Iterator[None]:
    """Reads only what was fetched before where the hub does not answer, instead of half a minute of retries."""
    offline = datasets.config.HF_HUB_OFFLINE
    if data_set is not None and data_set not in _LOCAL_FORMATS:
        try:
            HfApi().dataset_info(data_set, timeout=_HUB_TIMEOUT_S)
        except Exception:  # noqa: BLE001 - every way not to answer has its own class, of two further libraries
            datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = offline


def _unreadable(
    name: str, config: Mapping[str, Any], path: Path | None, error: Exception, *, is_local: bool
) -> TaskError:
    about_data = isinstance(error, (OSError, datasets.exceptions.DatasetsError))
    if about_data and not is_local:
        data = config.get("dataset_path", "its data")
        return TaskError(
            f"the task {name!r} cannot be asked: {data} cannot be fetched: no such data set, no access, or no network",
            hint=_OFFLINE_HINT,
        )
    what = "data of the task" if about_data else "task"
    return TaskError(
        f"the {what} {name!r} cannot be read: {_reason(error)}", hint=f"check {path}" if path else _OFFLINE_HINT
    )


def _reason(error: Exception) -> str:
    """What went wrong first, in a line."""
    cause = error.__cause__ or error
    if isinstance(cause, StopIteration):
        return "there is no question in it"
    text = " ".join(str(cause).split())
    return text if " " in text else f"{type(cause).__name__} {text}".strip()


# ---- asking ----------------------------------------------------------------------------------------------------------


def ask(
    tasks: Mapping[str, Any],
    model: LoadedModel,
    *,
    limit: int | None = None,
    batch_size: int = 16,
    report: Report | None = None,
) -> list[TaskScore]:
    """The model's answers to the first `limit` questions of each task, in the tasks' order.

    Raises:
        ModelError: if memory does not suffice, or the tokenizer has no token that begins a text.
        TaskError: if a question cannot be asked, or none of a task fits into the model.
    """
    if model.tokenizer.bos_token_id is None and model.tokenizer.eos_token_id is None:
        raise ModelError(
            f"the tokenizer of {model.name} has neither a beginning-of-sequence nor an end-of-sequence token",
            hint="the harness begins texts with one of them: set tokenizer.eos_token",
        )
    for task in tasks.values():
        task.set_fewshot_seed(seed=_FEWSHOT_SEED)
        if task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
    with _quiet(), evaluating(model.model):
        live = _AsItIs(model)
        asked = _Asked(live, copy.deepcopy(model.tokenizer), batch_size, report)  # a tokenizer is given a padding token
        try:
            results = evaluate(asked, {"tasks": dict(tasks)}, limit=limit, bootstrap_iters=0, log_samples=True)
        except ReadheadError:
            raise
        except Exception as error:  # the model, what hooks it, and templates and functions of the tasks'
            if known := _translated(error, live, batch_size, " ".join(tasks)):
                raise known from error
            raise
    return [_answers(name, task, results["samples"][name], asked) for name, task in tasks.items()]


def _answers(name: str, task: Any, samples: Sequence[Mapping[str, Any]], asked: _Asked) -> TaskScore:  # noqa: ANN401 - as above
    metric = _metric(task)
    one_filter = [sample for sample in samples if sample["filter"] == samples[0]["filter"]]
    ordered = sorted(one_filter, key=lambda sample: int(sample["doc_id"]))
    read = [sample for sample in ordered if not asked.unread & _pairs(sample)]
    if not read:
        raise TaskError(
            f"none of the {len(ordered)} questions of {name!r} fits into the {asked.max_length} tokens of the model",
            hint="ask another task, or a model that reads longer texts",
        )
    return TaskScore(
        task=name,
        metric=metric,
        correct=tuple(bool(sample[metric] == 1) for sample in read),
        log_likelihoods=tuple(
            # some metrics ask for each answer once more without its question, after all the others
            tuple(float(tries[0][0]) for tries in sample["resps"][: len(task.doc_to_choice(sample["doc"]))])
            for sample in read
        ),
        cut=sum(bool(asked.cut & _pairs(sample)) for sample in read),
        left_out=len(ordered) - len(read),
    )


def _pairs(sample: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(str(question), str(answer)) for question, answer in sample["arguments"]}


def _translated(error: Exception, live: _AsItIs, batch_size: int, names: str) -> ReadheadError | None:
    """What the user can mend; None for what the model raised, or what hooks it."""
    if is_out_of_memory(error):
        smaller = f"use --batch-size {batch_size // 2}" if batch_size > 1 else "use a smaller model"
        return ModelError(f"memory does not suffice for {batch_size} texts at once", hint=smaller)
    if error is live.failure:
        return None
    return TaskError(f"{names} cannot be asked: {_reason(error)}", hint="check the task's file, or ask another task")


class _AsItIs:
    """What the harness knows of the model: no module, so that it neither switches the mode nor ties weights."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model.model
        self.config = model.model.config
        self.device = input_device(model.model)
        self.failure: Exception | None = None
        """What the model raised: its own mistake, not a task's."""

    def __call__(self, input_ids: Tensor) -> Any:  # noqa: ANN401 - as transformers
        """The model's output. There is no mask: the harness pads on the right, where no token that counts looks."""
        try:
            return run_batch(self._model, input_ids)
        except Exception as error:
            self.failure = error
            raise


class _Asked(HFLM):  # type: ignore[misc]  # the harness is not typed
    """The harness's Hugging Face model, without its bars; notes which texts were cut."""

    def __init__(self, live: _AsItIs, tokenizer: Any, batch_size: int, report: Report | None) -> None:  # noqa: ANN401 - as above
        super().__init__(
            pretrained=live, backend="causal", tokenizer=tokenizer, batch_size=batch_size, softmax_dtype="float32"
        )
        self.cut: set[tuple[str, str]] = set()
        """Pairs of question and candidate answer that lost their beginning."""
        self.unread: set[tuple[str, str]] = set()
        """Those whose answer alone is too long, or has no token of its own."""
        self._report = report

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = True) -> Any:  # noqa: ANN401, ARG002, FBT001, FBT002 - the harness's signature
        return super().loglikelihood(requests, disable_tqdm=True)

    def _loglikelihood_tokens(self, requests: Sequence[Any], **options: Any) -> Any:  # noqa: ANN401 - as above
        fitting = []
        for pair, question, answer in requests:
            if not 0 < len(answer) <= self.max_length:
                self.unread.add(pair)
                fitting.append((pair, question, (answer or question)[-1:]))  # the harness wants an answer to each
                continue
            if len(question) + len(answer) > self.max_length + 1:  # the last token is only predicted
                self.cut.add(pair)
            fitting.append((pair, question, answer))
        if self._report is not None:
            self.set_cache_hook(_Counter(self._report, len(requests)))
        return super()._loglikelihood_tokens(fitting, **options)


class _Counter:
    """Stands where the harness tells each answer's likelihood to a cache, and reports how many there are."""

    def __init__(self, report: Report, total: int) -> None:
        self._report, self._done, self._total = report, 0, total
        report("answers", 0, total)

    def add_partial(self, *_: object) -> None:
        """Counts one more answer."""
        self._done += 1
        self._report("answers", self._done, self._total)


# ---- silence ---------------------------------------------------------------------------------------------------------


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither logs, warnings nor bars, and nothing on stdout; what was set before is set again afterwards."""
    with ExitStack() as undo:
        for name in ("lm_eval", "datasets", "huggingface_hub", "transformers"):
            log = logging.getLogger(name)
            undo.callback(log.setLevel, log.level)
            log.setLevel(logging.CRITICAL)
        if not datasets.are_progress_bars_disabled():
            undo.callback(datasets.enable_progress_bars)
            datasets.disable_progress_bars()
        undo.callback(setattr, lm_eval.api.task, "tqdm", lm_eval.api.task.tqdm)
        lm_eval.api.task.tqdm = lambda items, **_: items  # the bar of "Building contexts" has no switch (0.4.13)
        undo.enter_context(contextlib.redirect_stdout(sys.stderr))
        undo.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        yield
