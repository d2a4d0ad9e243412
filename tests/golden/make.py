#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make the artifacts beside this file: Run JSON, gzipped, the same bytes each
time. They are committed; run this only to change them, then

    tests/cli_screen.sh --update     # with top_builddir set to the build

writes what the command says of each to NAME.txt: look at the difference
before it is committed.

held_worker.json.gz is not made here, it was recorded: demo/shop --workers 2
--db-pool 4 --trouble sleep, under demo/load --connections 8 --pause 12
--no-reports and a second one with --connections 1 --pause 150 --get /quote/7;
tailbox capture 3s --mode investigation, export --to json, gzip. The name of
the host is another one.
"""
import gzip
import io
import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
T0 = 1763608361000  # 2025-11-20 03:12:41 UTC
PHASES = ("ingress_wait", "headers", "handler", "send")


class Run:
    """A run of 60 s; requests come in the order of their starts."""

    def __init__(self, service="shop", ext=True, **meta):
        self.ext = ext
        self.doc = {
            "schema_version": 2,
            "metadata": {
                "run_id": "run-1", "service_name": service,
                "service_version": "1.4.2", "started_at_unix_ms": T0,
                "finalized_at_unix_ms": T0 + 60000, "mode": "light",
                "host": "web-7", "pid": 912, "lifecycle_warnings": [],
                "unfinished_requests": {"count": 0, "sample": []},
                "run_end_reason": "manual_disarm",
            },
            "requests": [], "stages": [], "queues": [], "inflight": [],
            "runtime_snapshots": [],
            "truncation": {
                "limits_hit": False, "dropped_requests": 0,
                "dropped_stages": 0, "dropped_queues": 0,
                "dropped_inflight_snapshots": 0,
                "dropped_runtime_snapshots": 0,
            },
        }
        self.doc["metadata"].update(meta)
        if ext:
            self.doc["metadata"]["tailbox"] = {
                "version": "0.1.0", "clock": "tsc", "lost_requests": 0,
                "lost_spans": 0, "lost_blocks": 0}

    def request(self, at, us, route="/item", status=200, ingress=0, **phases):
        n = len(self.doc["requests"])
        r = {"request_id": "%x" % (0x9000 + n), "route": route, "kind": "http",
             "started_at_unix_ms": T0 + at // 1000, "started_at_run_us": at,
             "finished_at_unix_ms": T0 + (at + us) // 1000,
             "finished_at_run_us": at + us, "latency_us": us,
             "outcome": "ok" if status < 400 else "error"}
        if self.ext:
            left = us - ingress - 100
            parts = {"ingress_wait": ingress, "headers": 50, "handler": left,
                     "send": 50}
            parts.update(phases)
            r["tailbox"] = {"status": status, "number": n + 1, "worker": n % 4,
                            "termination": "completed", "phases_us": parts}
        self.doc["requests"].append(r)
        return r

    def span(self, r, kind, name, at, us, depth=None):
        start = r["started_at_run_us"] + at
        where = {"request_id": r["request_id"]}
        if kind == "stage":
            where.update(stage=name, started_at_unix_ms=T0 + start // 1000,
                         started_at_run_us=start,
                         finished_at_unix_ms=T0 + (start + us) // 1000,
                         finished_at_run_us=start + us, latency_us=us,
                         success=True)
            self.doc["stages"].append(where)
        else:
            where.update(queue=name, waited_from_unix_ms=T0 + start // 1000,
                         waited_from_run_us=start,
                         waited_until_unix_ms=T0 + (start + us) // 1000,
                         waited_until_run_us=start + us, wait_us=us,
                         depth_at_start=depth)
            self.doc["queues"].append(where)

    def snapshots(self, n, workers=4, alive=2, ready=0, behind=0, blocking=0):
        for i in range(n):
            at = i * 60000000 // n
            self.doc["runtime_snapshots"].append({
                "at_unix_ms": T0 + at // 1000, "at_run_us": at,
                "alive_tasks": alive, "worker_count": workers,
                "global_queue_depth": ready, "local_queue_depth": behind,
                "blocking_queue_depth": blocking,
                "remote_schedule_count": None})

    def write(self, name):
        text = json.dumps(self.doc, separators=(",", ":")).encode()
        out = io.BytesIO()
        with gzip.GzipFile("", "wb", 9, out, 0) as z:
            z.write(text)
        with open(os.path.join(HERE, name + ".json.gz"), "wb") as f:
            f.write(out.getvalue())


def plain(run, n=200, us=2000):
    """n requests that take us and a bit, each with a short stage."""
    for i in range(n):
        r = run.request(i * 250000, us + i % 17 * 60)
        run.span(r, "stage", "db_item", 100, 600)
    return run


def healthy():
    run = plain(Run())
    run.snapshots(60)
    return run


def too_few():
    return plain(Run(), 12)


def unclear():
    """A long tail and nothing marked; handlers alone know."""
    run = Run()
    for i in range(200):
        run.request(i * 250000, 640000 if i % 40 == 7 else 3000 + i % 9 * 100)
    return run


def queue():
    run = Run()
    for i in range(200):
        wait = 180000 + i % 13 * 1000 if i % 10 == 3 else 5000
        r = run.request(i * 250000, wait + 6000)
        run.span(r, "wait", "db_pool", 200, wait, 9 if wait > 5000 else 1)
        run.span(r, "stage", "db_item", wait + 300, 5000)
    run.snapshots(60)
    return run


def downstream():
    run = Run()
    for i in range(200):
        slow = 320000 + i % 7 * 3000 if i % 20 == 11 else 9000
        r = run.request(i * 250000, slow + 1500, route="/pay")
        run.span(r, "stage", "card_gateway", 600, slow)
    run.snapshots(60)
    return run


def executor():
    run = Run()
    for i in range(200):
        slow = i % 15 == 4
        run.request(i * 250000, 140000 if slow else 4000,
                    ingress=130000 if slow else 0)
    run.snapshots(120, ready=14, behind=6, alive=30)
    return run


def blocking_pool():
    run = Run()
    for i in range(200):
        run.request(i * 250000, 95000 if i % 12 == 5 else 7000,
                    route="/thumbnail")
    run.snapshots(120, blocking=34, alive=20)
    return run


def losses():
    run = plain(Run())
    run.doc["metadata"]["tailbox"].update(lost_blocks=3, lost_spans=4210,
                                          late_spans=2)
    run.doc["truncation"].update(limits_hit=True, dropped_requests=5310,
                                 dropped_stages=12020)
    run.doc["metadata"]["unfinished_requests"] = {
        "count": 2, "sample": [{"request_id": "x1", "route": "/item"}]}
    return run


def no_extension():
    run = Run(ext=False, service_version=None, host=None, pid=None)
    for i in range(120):
        slow = 88000 if i % 11 == 2 else 12000
        r = run.request(i * 250000, slow + 3000, route="checkout")
        run.span(r, "stage", "payment", 1000, slow)
    return run


def hostile():
    run = Run("sh\u001b[2Jop\n\u202e\u6f22\u5b57" + "x" * 60,
              host="we\u0000b\u009b7" + "\U0001f600" * 20,
              service_version="1'; rm -rf $HOME #")
    for i in range(80):
        r = run.request(i * 250000, 400000 if i % 9 == 1 else 5000,
                        route="/\u001b]0;x\u0007" + "\u6f22" * 70)
        if i == 1:
            r["request_id"] = "a b'c\n"
            r["tailbox"]["number"] = 2
            r["latency_us"] += 5000
            r["finished_at_run_us"] += 5000
            r["finished_at_unix_ms"] += 5
        run.span(r, "stage", "\u001b[31m\u6f22\u5b57\n" * 12, 100, 4000)
    return run


def many_routes():
    run = Run()
    for i in range(240):
        route = i % 24
        slow = 450000 if route == 3 and i % 3 == 0 else 2500 + route * 150
        r = run.request(i * 240000, slow, route="/api/v1/part%02d/{id}" % route)
        run.span(r, "stage", "render" if route % 2 else "db_part",
                 100, slow * 3 // 4)
    run.snapshots(60)
    return run


def failing():
    """Fast, and every tenth answer is 503."""
    run = Run()
    for i in range(200):
        run.request(i * 250000, 900 + i % 5 * 40, route="/pay",
                    status=503 if i % 10 == 0 else 200)
    return run


if __name__ == "__main__":
    for make in (healthy, too_few, unclear, queue, downstream, executor,
                 blocking_pool, losses, no_extension, hostile, many_routes,
                 failing):
        make().write(make.__name__)
