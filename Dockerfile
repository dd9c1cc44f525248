# lm_eval with the s1 models on vLLM's CUDA build.
#   docker build -t lm-eval-s1 . && docker run --gpus all -v "$PWD/runs:/runs" lm-eval-s1 \
#     --model s1_vllm --model_args num_waits=4 --tasks aime24 --output_path /runs
FROM nvidia/cuda:13.0.0-base-ubuntu24.04
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv git gcc python3-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/lm-eval-s1
COPY . .
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir ".[vllm,report]"
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /work
ENTRYPOINT ["s1-eval"]
CMD ["--help"]
