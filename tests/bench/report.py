#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Puts the figures of several benchmarks together: what scripts/bench does at its end.

  report.py merge OUT FILE...           all figures into OUT, and a table of the ratios beside their bars
  report.py compare A=FILE... B=FILE... two builds side by side, each FILE one round of the same program

A figure is a name and {median, min, max, rounds}. What a name means stands at the head of the program that
measures it.
"""

import collections
import json
import re
import statistics
import sys

# What was promised: a pattern of names, and the least or the most that the median may be. The most comes
# first in a pair, since some figures have both.
AT_LEAST = {
    r"single_over_echo_\d+": 1.25,
    r"bulk64_over_echo": 5,
    r"bulk64_over_promise_queue": 4,
    r"single_over_promise_queue": 1,
    r"observers_on_over_off": 0.97,
    r"model_served_over_offered": 0.99,
    r"overload_goodput_3x_over_1x": 0.95,
}
AT_MOST = {
    r"lone_over_echo": 2,
    r"window_(detached_)?over_bare_us(_\d+ms)?": 100,
    r"model_p99_over_batch_time": 4,
    r"adaptive_regret_(mean|p95)": 0.05,
    r"adaptive_recovery_batches": 199,
    r"adaptive_real_over_ideal_(mean|p95)": 1.1,
    r"fairness_p99_noisy_over_quiet": 1.5,
}
