"""One room per engine: each turns requests into tokens and knows nothing of budgets."""
