#!/usr/bin/env bash
# What fine-tuning costs on this machine's GPU, in about ten minutes on one H100: one JSON document on the last line.
#
#   bash benchmarks/gpu_check.sh [OUT]          OUT: folder for logs and checkpoints (default: build/gpu_check)
#
# Models have the shapes of Qwen2.5 0.5B and 1.5B with random weights: nothing is downloaded. Measured: tokens/s, MFU and
# peak memory beside the plan's, with and without recomputation; packed attention in pieces against torch's varlen_attn;
# one short run each of full fine-tuning, LoRA, QLoRA (where bitsandbytes is installed) and LoRA under FSDP, each of which
# reads its checkpoint back.
set -euo pipefail
cd "$(dirname "$0")/.."
OUT=${1:-build/gpu_check}
PYTHON=${PYTHON:-.venv/bin/python}
mkdir -p "$OUT"
"$PYTHON" -c 'import sys, torch; sys.exit(None if torch.cuda.is_available() else "error: PyTorch sees no CUDA device")'
export CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-0} TOKENIZERS_PARALLELISM=false
echo "speed and memory" >&2
timeout 240 "$PYTHON" -m benchmarks.bench_sft --gpu --repetitions 3 | tail -n 1 > "$OUT/speed.json"
echo "attention" >&2
timeout 60 "$PYTHON" -m benchmarks.bench_sft --attention | tail -n 1 > "$OUT/attention.json"
"$PYTHON" -m benchmarks.bench_sft --make-model "$OUT/model" > /dev/null
DATA="$OUT/model/rows.jsonl"
run() { # NAME COMMAND...: the seconds of a run, or why it has none, as JSON
  local name=$1 started=$SECONDS
  shift
  rm -rf "${OUT:?}/$name"
  if timeout 150 "$@" --model "$OUT/model" --data "$DATA" --out "$OUT/$name" --max-steps 8 > "$OUT/$name.log" 2>&1; then
    echo "\"$name\": {\"seconds\": $((SECONDS - started)), \"record\": $(cat "$OUT/$name/sft.json")}"
  else
    echo "\"$name\": {\"error\": $(tail -n 1 "$OUT/$name.log" | "$PYTHON" -c 'import json, sys; print(json.dumps(sys.stdin.read().strip()))')}"
  fi
}
TORCHRUN=("$(dirname "$PYTHON")/torchrun" --nproc-per-node 1 --shutdown-timeout 900)
echo "four runs" >&2
{
  echo "{"
  run full "$PYTHON" -m training.sft run --recipe s1_0_5b
  echo ","
  run lora "$PYTHON" -m training.sft run --recipe s1_7b_lora
  echo ","
  run qlora "$PYTHON" -m training.sft run --recipe s1_7b_qlora
  echo ","
  run lora_fsdp "${TORCHRUN[@]}" -m training.sft run --recipe s1_32b_lora
  echo "}"
} > "$OUT/runs.json"
"$PYTHON" - "$OUT" <<'END'
import json, pathlib, sys
out = pathlib.Path(sys.argv[1])
print(json.dumps({name: json.loads((out / f"{name}.json").read_text()) for name in ("speed", "attention", "runs")}))
END
