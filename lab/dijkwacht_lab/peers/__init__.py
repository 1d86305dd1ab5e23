"""Peers on the same captures: other tools' own alerts, and what a course would have built, by our rule.

`alert_files` reads alerts and `mapping` says what class of ours theirs is; `flow_features`, `models` and
`benign` make the usual detectors of strange flows; `peer` holds either to the rule of
`dijkwacht_lab.scoreboard`, and `comparison` sets them beside us.
"""
