"""What the runs say: records of lm_eval output, error bars, comparisons, a gate, figures and leaderboard files."""
