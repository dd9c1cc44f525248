#!/usr/bin/env bash
# Evaluates a model and gates it against a baseline, in any shell.
#   bash examples/gate.sh BASELINE_FOLDER MODEL_ARGS TASKS [MARGIN]
# Exit code 0: not worse. 1: worse. 2: no verdict, or the runs cannot be compared.
set -euo pipefail
baseline=${1:?usage: gate.sh BASELINE_FOLDER MODEL_ARGS TASKS [MARGIN]}
model_args=${2:?which model? for example pretrained=nano,num_waits=2}
tasks=${3:?which tasks? for example s1_nano}
margin=${4:-5}
folder=${S1_GATE_FOLDER:-s1-gate}

s1-eval --model "${S1_GATE_MODEL:-s1_hf}" --model_args "$model_args" --tasks "$tasks" --log_samples --output_path "$folder/runs"
s1-report collect "$folder/runs" --output "$folder/records"
s1-report gate "$baseline" "$folder/records" --margin "$margin" --markdown "$folder/gate.md" --junit "$folder/gate.xml"
