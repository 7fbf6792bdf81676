"""Prints what TensorBoard reads from a folder of event files, as JSON."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

accumulator = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
accumulator.Reload()
tags = accumulator.Tags()


def settings():
    content = accumulator.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    started = metadata.parse_session_start_info_plugin_data(content)
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in started.hparams.items()}


def status():
    if "_hparams_/session_end_info" not in tags["tensors"]:
        return 0
    content = accumulator.SummaryMetadata("_hparams_/session_end_info").plugin_data.content
    return metadata.parse_session_end_info_plugin_data(content).status


print(
    json.dumps(
        {
            "scalars": {tag: [[point.step, point.value] for point in accumulator.Scalars(tag)] for tag in tags["scalars"]},
            "hparams": settings(),
            "status": status(),
            "text": accumulator.Tensors("options")[0].tensor_proto.string_val[0].decode(),
        }
    )
)
