# SPDX-License-Identifier: Apache-2.0
"""Medians, ranges, goals and tables, from the rows of a run."""
import statistics

from sweep import text_mib

PARTS = ["stop", "capture", "transfer", "commit", "resume"]


def spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarize(moves):
    """One row for each footprint, writer and mode, in the order in which they were first measured."""
    groups = {}
    for move in moves:
        groups.setdefault((move["mib"], move["writer"], move["mode"]), []).append(move)
    summary = []
    for (mib, writer, mode), rows in groups.items():
        row = {"mib": mib, "writer": writer, "mode": mode, "count": len(rows)}
        for key in ("gap_ms", "switch_gap_ms", "noise_ms", "writer_stall_ms", "writer_before_per_s",
                    "writer_precopy_per_s", "writer_postcopy_per_s"):
            row[key] = spread(one[key] for one in rows)
        for key in ["downtime_ms", "total_ms", "precopy_ms", "postcopy_ms", "rounds", "bytes_sent", "pages",
                    "postcopy_pages", "memory_bytes"] + [part + "_ms" for part in PARTS]:
            row[key] = spread(one["report"].get(key) for one in rows)
        row["memory_gb_per_s"] = spread(
            one["report"]["memory_bytes"] / 1e6 / one["report"]["total_ms"] for one in rows)
        summary.append(row)
    for row in summary:
        base = find(summary, row["mib"], row["writer"], "stopcopy")
        key = "switch_gap_ms"
        row["reduction_percent"] = (
            100 * (1 - row[key]["median"] / base[key]["median"])
            if base and row is not base and base[key]["median"] else None)
    return summary


def find(summary, mib, writer, mode):
    for row in summary:
        if (row["mib"], row["writer"], row["mode"]) == (mib, writer, mode):
            return row
    return None


def goal(goals, text, measured, reached):
    goals.append({"goal": text, "measured": measured, "reached": bool(reached)})


def check_goals(result):
    """The project's own goals, where this run has measured what they are about."""
    summary, goals = result["summary"], []
    hybrid = [row for row in summary if (row["writer"], row["mode"]) == ("10%", "hybrid")]
    for row in hybrid:
        seen = row["switch_gap_ms"]
        goal(goals, "%s, hybrid, writer 10%%: median downtime under 15 ms, worst under 40" % text_mib(row["mib"]),
             "%.1f, worst of %d: %.1f ms (longest gap of the whole move: %.1f, worst %.1f; noise: %.1f, worst %.1f)" % (
                 seen["median"], row["count"], seen["max"], row["gap_ms"]["median"], row["gap_ms"]["max"],
                 row["noise_ms"]["median"], row["noise_ms"]["max"]),
             seen["median"] < 15 and seen["max"] < 40)
    if len(hybrid) > 1:
        low, high = min(hybrid, key=lambda row: row["mib"]), max(hybrid, key=lambda row: row["mib"])
        difference = high["switch_gap_ms"]["median"] - low["switch_gap_ms"]["median"]
        goal(goals, "flat: %s within 5 ms of %s" % (text_mib(high["mib"]), text_mib(low["mib"])),
             "%+.1f ms" % difference, abs(difference) <= 5)
    for mib, percent in ((4096, 98), (8192, 99)):
        row = find(summary, mib, "10%", "hybrid")
        if row and row["reduction_percent"] is not None:
            goal(goals, "%s: downtime at least %d %% less than of stopcopy" % (text_mib(mib), percent),
                 "%.2f %%" % row["reduction_percent"], row["reduction_percent"] >= percent)
    idle = find(summary, 4096, "none", "hybrid")
    if idle:
        rate = idle["memory_gb_per_s"]["median"]
        goal(goals, "4 GiB, idle: at least 0.8 GB/s of memory", "%.2f GB/s" % rate, rate >= 0.8)
    compute = result.get("overhead", {}).get("compute")
    if compute:
        for key, name in (("user_s", "user"), ("wall_s", "wall")):
            percent = compute[key]["overhead_percent"]
            goal(goals, "computing, not moving: %s time within 2 %% of native" % name, "%+.2f %%" % percent,
                 percent <= 2)
    return goals


def cell(values, digits=1, scale=1.0):
    if not values:
        return "-"
    low, middle, high = (values[key] / scale for key in ("min", "median", "max"))
    if low == high:
        return "%.*f" % (digits, middle)
    return "%.*f (%.*f-%.*f)" % (digits, middle, digits, low, digits, high)


def grid(head, rows):
    """Columns as wide as they must be; the first three to the left."""
    widths = [max(len(row[i]) for row in [head] + rows) for i in range(len(head))]
    lines = []
    for row in [head] + rows:
        lines.append("  ".join(text.ljust(width) if i < 3 else text.rjust(width)
                               for i, (text, width) in enumerate(zip(row, widths))).rstrip())
    lines.insert(1, "-" * len(lines[0]))
    return "\n".join(lines) + "\n"


def gaps_table(summary):
    head = ["memory", "writer", "mode", "n", "downtime ms", "reported ms", "less", "longest gap ms", "noise ms",
            "writer stalls ms", "total s"]
    rows = []
    for row in summary:
        reduction = row["reduction_percent"]
        rows.append([
            text_mib(row["mib"]), row["writer"], row["mode"], str(row["count"]), cell(row["switch_gap_ms"]),
            cell(row["downtime_ms"]), "-" if reduction is None else "%.2f %%" % reduction, cell(row["gap_ms"]),
            cell(row["noise_ms"]), cell(row["writer_stall_ms"]), cell(row["total_ms"], 2, 1000)])
    return grid(head, rows)


def parts_table(summary):
    head = ["memory", "writer", "mode"] + [part + " ms" for part in PARTS] + [
        "rounds", "sent MiB", "post-copy pages", "post-copy s", "GB/s", "writes/s before, pre-, post-copy"]
    rows = []
    for row in summary:
        speeds = [row["writer_%s_per_s" % when] for when in ("before", "precopy", "postcopy")]
        rows.append(
            [text_mib(row["mib"]), row["writer"], row["mode"]]
            + ["%.2f" % row[part + "_ms"]["median"] if row[part + "_ms"] else "-" for part in PARTS]
            + [cell(row["rounds"], 0), "%.0f" % (row["bytes_sent"]["median"] / (1 << 20)),
               "%.0f" % row["postcopy_pages"]["median"], "%.2f" % (row["postcopy_ms"]["median"] / 1000),
               "%.2f" % row["memory_gb_per_s"]["median"],
               " ".join("%.0f" % speed["median"] if speed else "-" for speed in speeds)])
    return grid(head, rows)


def overhead_table(overhead):
    rows = []
    for key, name in (("user_s", "compute, user s"), ("wall_s", "compute, wall s"),
                      ("with_start_s", "compute, with its start s")):
        one = overhead.get("compute", {}).get(key)
        if one:
            rows.append([name, "%.3f" % one["native"], "%.3f" % one["enclave"], "%+.2f %% (%+.2f to %+.2f)" % (
                one["overhead_percent"], one["range_percent"][0], one["range_percent"][1])])
    for name, one in overhead.get("system_calls", {}).items():
        rows.append([name.replace("_ns", ", ns"), "%.0f" % one["native"], "%.0f" % one["enclave"],
                     "x %.1f" % (one["enclave"] / one["native"])])
    servers = [(server, name, one) for server in ("redis", "nginx", "sqlite")
               for name, one in overhead.get(server, {}).items()]
    for server, name, one in servers:
        unit = "runs/s" if server == "sqlite" else "requests/s"
        digits = 2 if server == "sqlite" else 0
        rows.append(["%s %s, %s" % (server, name, unit), "%.*f" % (digits, one["native"]), "%.*f" % (digits, one["enclave"]),
                     "%.0f %%" % (100 * one["enclave"] / one["native"])])
    return grid(["not moving", "native", "enclave", ""], rows)


def criu_table(criu):
    groups = {}
    for run in criu["runs"]:
        groups.setdefault((run["mib"], run["writer"], run["mode"]), []).append(run)
    rows = [[text_mib(mib), writer, mode, str(len(runs)), cell(spread(run["gap_ms"] for run in runs)),
             cell(spread(run["total_ms"] for run in runs), 2, 1000)] for (mib, writer, mode), runs in groups.items()]
    return grid(["memory", "writer", "mode", "n", "gap ms", "total s"], rows)


def tables(result):
    machine = result["machine"]
    text = ["%s, %d processors, %d MiB, Linux %s; median (lowest-highest)\n" % (
        machine["processor"], machine["processors"], machine["memory_mib"], machine["kernel"])]
    if result["summary"]:
        text += [gaps_table(result["summary"]), parts_table(result["summary"])]
    if result.get("criu"):
        text.append(criu_table(result["criu"]))
    if result.get("overhead"):
        text.append(overhead_table(result["overhead"]))
    if result["goals"]:
        text.append(grid(["goal", "measured", ""], [
            [one["goal"], one["measured"], "reached" if one["reached"] else "NOT reached"] for one in result["goals"]]))
    notes = ["skipped: " + one for one in result["skipped"]] + ["FAILED: " + one for one in result["failures"]]
    if result.get("criu"):
        notes += ["CRIU failed: " + one for one in result["criu"]["failures"]]
    if notes:
        text.append("\n".join(notes) + "\n")
    return "\n".join(text)
