"""Kubernetes, PBS, reports of the tracker: what each tells of a job, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from fleet_byhand import FLEET, cluster, dump, imported, line, memory, rows

import costcalc
from costcalc.base.errors import InputError
from costcalc.base.writing import digest
from costcalc.fleet.checking import check
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.importing import kubernetes, pbs, reports
from costcalc.fleet.job import attempts, parts
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.metering import Reading, read_meters
from costcalc.fleet.sources import Asked, import_from
from costcalc.fleet.summary import summed
from costcalc.fleet.taking import Taken, take

# --- Kubernetes ----------------------------------------------------------------------------------


def pod(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "kind": "Pod",
        "metadata": {
            "name": "train-abc",
            "namespace": "physics",
            "uid": "u-1",
            "creationTimestamp": "2026-10-05T09:00:00Z",
            "labels": {"model": "llama"},
            "ownerReferences": [{"kind": "Job", "name": "train"}],
        },
        "spec": {
            "nodeName": "gpu01",
            "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
            "containers": [
                {"resources": {"limits": {"nvidia.com/gpu": "4"}, "requests": {"cpu": "8"}}},
                {"resources": {}},
            ],
        },
        "status": {
            "phase": "Succeeded",
            "startTime": "2026-10-05T09:59:00Z",
            "containerStatuses": [
                {"state": {"terminated": {"startedAt": "2026-10-05T10:00:00Z",
                                          "finishedAt": "2026-10-05T12:00:00Z"}}},
                {"state": {"terminated": {"startedAt": "2026-10-05T10:00:00Z",
                                          "finishedAt": "2026-10-05T11:00:00Z"}}},
            ],
        },
    }  # fmt: skip
    return {**made, **changes}


def in_dump(folder: Path, *items: object) -> list[Facts | Refused]:
    path = folder / "pods.json"
    path.write_text(json.dumps({"kind": "List", "items": list(items)}))
    return list(kubernetes.pods(path, "k"))


def test_a_pod_holds_what_it_asked_for_till_its_last_container_ended(tmp_path: Path) -> None:
    (one,) = in_dump(tmp_path, pod())
    assert isinstance(one, Facts)
    assert (one.devices, one.seconds, one.kinds) == (4.0, 7200.0, ("nvidia-h100-80gb-hbm3",))
    assert (one.job, one.account, one.model, one.name, one.state) == (
        "physics/train-abc", "physics", "llama", "train", "completed",
    )  # fmt: skip
    with memory() as ledger:
        take(ledger, cluster(), [one], source="kubernetes", name="x")
        (row,) = rows(ledger)
        assert (row.device, row.cost) == ("h100-sxm5-80", pytest.approx(8.0))


@pytest.mark.parametrize(
    ("refers", "name", "owner"),
    [
        ([{"kind": "Job", "name": "train", "uid": "u-9"}], "train", True),
        # a Deployment's pod is of no Job that could be in the dump too
        ([{"kind": "ReplicaSet", "name": "web", "uid": "u-9"}], "web", False),
        ([{"name": "web"}], "web", False),
        ([], "train-abc", False),
        (None, "train-abc", False),
    ],
)
def test_a_pod_is_of_the_job_that_owns_it(
    refers: list[dict[str, str]] | None, name: str, owner: bool, tmp_path: Path
) -> None:
    made = pod()
    made["metadata"]["ownerReferences"] = refers
    (one,) = in_dump(tmp_path, made)
    assert isinstance(one, Facts)
    assert one.name == name
    assert (one.owner is not None) is owner
    held = of_job()
    held["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "outer", "uid": "u-8"}]
    (whole,) = in_dump(tmp_path, held)
    assert isinstance(whole, Facts)
    assert (whole.owner, whole.name) == (None, "outer")  # a Job itself is no pod of one


def test_parts_of_devices_and_unknown_shares(tmp_path: Path) -> None:
    mig = pod(spec={"containers": [{"resources": {"limits": {"nvidia.com/mig-2g.20gb": 1}}}]})
    shared = pod(spec={"containers": [{"resources": {"limits": {"nvidia.com/gpu.shared": 1}}}]})
    one, other = in_dump(tmp_path, mig, shared)
    assert isinstance(one, Facts)
    assert isinstance(other, Facts)
    assert one.devices == pytest.approx(2 / 7)
    assert (other.devices, other.why) == (
        None, "shared devices (nvidia.com/gpu.shared) of an unknown share",
    )  # fmt: skip


def test_jobs_alone_have_the_time_of_the_job(tmp_path: Path) -> None:
    job = {
        "kind": "Job",
        "metadata": {"name": "fit", "namespace": "bio"},
        "spec": {"parallelism": 2, "template": {"spec": pod()["spec"]}},
        "status": {
            "startTime": "2026-10-05T10:00:00Z",
            "conditions": [{"type": "Failed", "status": "True",
                            "lastTransitionTime": "2026-10-05T11:00:00Z"}],
        },
    }  # fmt: skip
    (one,) = in_dump(tmp_path, job)
    assert isinstance(one, Facts)
    assert (one.devices, one.seconds, one.state) == (8.0, 3600.0, "failed")
    assert one.why == (
        "a Job without its pods: 2 at once, for all of its time, are the most that may have been"
    )
    both = in_dump(tmp_path, job, pod())  # no pod of this job
    # a Job after the pods, for what of its own is missing is known then
    assert [f.job for f in both if isinstance(f, Facts)] == ["physics/train-abc", "bio/fit"]


@pytest.mark.parametrize(
    ("spec", "status", "pods"),
    [
        ({"parallelism": 8, "completions": 2}, {"succeeded": 2}, 2),  # no more than it needs
        ({"parallelism": 2, "completions": 8}, {"succeeded": 8}, 2),  # two at once
        ({"parallelism": 8}, {"succeeded": 1, "failed": 2}, 3),  # no more than there were
        ({"parallelism": 8, "completions": 8}, {}, 8),
        ({}, {}, 1),
        ({"parallelism": 0}, {}, 1),  # suspended since: one that had begun
    ],
)
def test_a_job_alone_has_no_more_pods_than_it_may_need_or_had(
    spec: dict[str, int], status: dict[str, int], pods: int, tmp_path: Path
) -> None:
    (one,) = in_dump(tmp_path, of_job(spec=spec, status=status))
    assert isinstance(one, Facts)
    assert one.devices == 4.0 * pods


def of_job(
    uid: str = "u-0",
    spec: Mapping[str, object] | None = None,
    status: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    said = {"parallelism": 2} if spec is None else spec
    held = {"template": {"spec": pod()["spec"]}, **said}
    done = {"startTime": "2026-10-05T09:00:00Z", "completionTime": "2026-10-05T12:00:00Z"}
    about = {"name": "train", "namespace": "physics", "uid": uid}
    return {"kind": "Job", "metadata": about, "spec": held, "status": {**done, **(status or {})}}


def owned(name: str, uid: str = "u-0") -> dict[str, Any]:
    made = pod()
    refers = [{"kind": "Job", "name": "train", "uid": uid}]
    made["metadata"] |= {"name": name, "uid": f"of-{name}", "ownerReferences": refers}
    return made


JOB, PODS = of_job(), [owned("train-a"), owned("train-b")]


@pytest.mark.parametrize(
    "dumps",
    [
        [[JOB], PODS],
        [PODS, [JOB]],
        [[JOB, *PODS]],
        [[JOB], PODS, [JOB], PODS],
        [[JOB], PODS[:1], PODS[1:], [JOB]],
    ],
)
@pytest.mark.parametrize("names", ["keep", "drop"])
def test_a_job_and_its_pods_are_counted_once(
    dumps: list[list[object]], names: str, tmp_path: Path
) -> None:
    # two pods of 4 devices for 2 h at physics' 1 USD: 16 device-hours; the Job says 2 × 4 × 3 h
    of = cluster(FLEET + f"privacy: {{names: {names}}}\n")
    with memory() as ledger:
        for number, items in enumerate(dumps):
            path = tmp_path / f"{number}.json"
            path.write_text(json.dumps({"kind": "List", "items": items}))
            import_from(ledger, of, Asked(source="kubernetes", where=str(path)))
        found = rows(ledger)
        assert sorted(row.job for row in found) == ["physics/train-a", "physics/train-b"]
        assert sum(row.device_hours for row in found) == 16.0
        assert sum(row.cost for row in found) == pytest.approx(16.0)
        assert parts(attempts(ledger, "physics/train")) == ["physics/train-a", "physics/train-b"]
        assert parts(attempts(ledger, "physics/train-b")) == ["physics/train-b"]
        assert summed(ledger, ["2026-10"]).total.device_hours == 16.0


LACKING = of_job(spec={"parallelism": 2, "completions": 2}, status={"succeeded": 2})
LACKS = (
    "1 pod of the 2 that this Job had not in the dump: the most that may have been of its time is "
    "counted"
)


@pytest.mark.parametrize(
    "dumps", [[[LACKING, PODS[0]]], [[PODS[0]], [LACKING]], [[LACKING], [PODS[0], LACKING]],
              [[LACKING, PODS[0]], [PODS[0]], [LACKING, PODS[0]]]],
)  # fmt: skip
def test_a_pod_that_is_missing_is_counted_by_its_job(
    dumps: list[list[object]], tmp_path: Path
) -> None:
    def take_in(ledger: Ledger, number: int, items: list[object]) -> Taken:
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps({"kind": "List", "items": items}))
        return import_from(ledger, cluster(), Asked(source="kubernetes", where=str(path)))

    with memory() as ledger:
        for number, items in enumerate(dumps):
            taken = take_in(ledger, number, items)
        # of 2 × 3 h the pod that is told had 2 h, and the other the Job's 3 h at most: 4 devices
        found = {row.job: row.device_hours for row in rows(ledger)}
        assert found == {"physics/train-a": 8.0, "physics/train": pytest.approx(12.0)}
        assert taken.notes == [f"physics/train: {LACKS}"]
        told = [one for one in check(ledger).lines() if one.startswith("because")]
        assert told == [f"because: 1 job, 60 % of the device-hours: {LACKS}"]
        # now all are told
        take_in(ledger, 90, [LACKING, *PODS])
        found = {row.job: row.device_hours for row in rows(ledger)}
        assert found == {"physics/train-a": 8.0, "physics/train-b": 8.0}


def test_pods_that_are_missing_have_no_more_than_the_others_left(tmp_path: Path) -> None:
    # one at once, 3 h: the pod that is told had 2 h of them, so that the two others had 1 h
    one = of_job(spec={"parallelism": 1}, status={"succeeded": 1, "failed": 2})
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"kind": "List", "items": [one, PODS[0]]}))
    with memory() as ledger:
        taken = import_from(ledger, cluster(), Asked(source="kubernetes", where=str(path)))
        found = {row.job: row.device_hours for row in rows(ledger)}
        assert taken.lines()[0] == "2 jobs added, 0 corrected, 0 known already, 0 rows refused"
    assert found == {"physics/train-a": 8.0, "physics/train": pytest.approx(4 * 3 * 0.3)}


def test_what_says_the_device_of_a_pod(tmp_path: Path) -> None:
    """Without a nodeSelector, in a cluster without partitions: what can be given there is named."""
    made = pod(spec={**pod()["spec"], "nodeSelector": {}, "nodeName": "g01"})
    nothing = "price: {device_hour: 2 USD}\n"
    for said, device in (
        ("", None),
        ('nodes: {"g[01-02]": h100-sxm5-80}\n', "h100-sxm5-80"),
        ("partitions: {default: {accelerator: a100-sxm4-40}}\n", "a100-sxm4-40"),
    ):
        with memory() as ledger:
            stream = in_dump(tmp_path, made)
            take(ledger, cluster(nothing + said), stream, source="kubernetes", name="x")
            (row,) = rows(ledger)
        assert row.device == device
        assert (row.why or "").startswith("" if device else (
            "nothing says which device: in fleet.yaml give nodes (by their names), or "
            "partitions.default.accelerator"
        ))  # fmt: skip


def test_a_job_that_its_pods_stand_for_was_not_known_already(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"kind": "List", "items": [JOB, *PODS]}))
    with memory() as ledger:
        taken = import_from(ledger, cluster(), Asked(source="kubernetes", where=str(path)))
    assert taken.lines() == ["2 jobs added, 0 corrected, 0 known already, 0 rows refused"]


def test_another_job_of_the_same_name_is_another(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    again = of_job(uid="u-5")
    path.write_text(json.dumps({"kind": "List", "items": [*PODS, again]}))
    with memory() as ledger:
        import_from(ledger, cluster(), Asked(source="kubernetes", where=str(path)))
        assert sorted(row.job for row in rows(ledger)) == [
            "physics/train", "physics/train-a", "physics/train-b",
        ]  # fmt: skip


ANEW = "write the file anew by kubectl get pods -A -o json"


def test_what_is_not_as_kubectl_writes_it_is_refused(tmp_path: Path) -> None:
    assert in_dump(tmp_path, of_job(spec={"parallelism": "x"}), pod(metadata=[1])) == [
        Refused(line=None, row="items[1]",
                why=f"metadata: expected an object, found [1]; {ANEW}"),
        Refused(line=None, row="physics/train",
                why=f'spec.parallelism: expected a whole number, found "x"; {ANEW}'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"spec": {"containers": {}}}, "spec.containers: expected a list, found {}"),
        ({"spec": {"containers": [7]}}, "spec.containers[0]: expected an object, found 7"),
        ({"spec": {"nodeName": 3}}, "spec.nodeName: expected a text, found 3"),
        ({"metadata": {"name": "a", "labels": {"team": {}}}},
         "metadata.labels[team]: expected a text, found {}"),
        ({"metadata": {"name": "a", "creationTimestamp": "now"}},
         'metadata.creationTimestamp: expected a time such as 2026-10-05T10:00:00Z, found "now"'),
        ({"status": "x" * 50}, f'status: expected an object, found "{"x" * 36}...'),
    ],
)  # fmt: skip
def test_where_an_item_is_not_as_kubectl_writes_it(
    changes: dict[str, object], why: str, tmp_path: Path
) -> None:
    bad, good = in_dump(tmp_path, pod(**changes), pod())
    assert isinstance(bad, Refused)
    assert bad.why == f"{why}; {ANEW}"
    assert isinstance(good, Facts)


def test_a_fault_of_ours_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(kubernetes, "backwards", faulty)
    with pytest.raises(TypeError, match="ours"):
        in_dump(tmp_path, pod())


def test_a_pod_whose_container_was_begun_again_held_its_devices_before(tmp_path: Path) -> None:
    """kubectl tells of a container's last run alone: an hour of the six for which it held four."""
    made = pod()
    made["status"]["startTime"] = "2026-10-05T06:00:00Z"
    first = made["status"]["containerStatuses"][0]
    first |= {"restartCount": 5}
    first["state"]["terminated"]["startedAt"] = "2026-10-05T11:00:00Z"
    (one,) = in_dump(tmp_path, made)
    assert isinstance(one, Facts)
    assert (one.devices, one.seconds) == (4.0, 6 * 3600.0)
    del made["status"]["startTime"]  # which a pod that ran always has
    (other,) = in_dump(tmp_path, made)
    assert isinstance(other, Facts)
    assert other.seconds == 2 * 3600.0  # from the other container's start


def test_what_kubectl_does_not_know(tmp_path: Path) -> None:
    runs = pod(status={"phase": "Running", "startTime": "2026-10-05T10:00:00Z",
                       "containerStatuses": [{"state": {"running": {}}}]})  # fmt: skip
    waits = pod(status={"phase": "Pending"})
    back = pod()
    back["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"] = None
    back["status"]["containerStatuses"][1]["state"]["terminated"]["startedAt"] = (
        "2026-10-05T13:00:00Z"
    )
    assert in_dump(tmp_path, back) == [
        Refused(line=None, row="physics/train-abc", why="it ends before it starts")
    ]
    broken = pod(status={"phase": "Failed", "startTime": "soon"})
    assert in_dump(tmp_path, runs, waits, broken, {"kind": "Node"}) == [
        Refused(line=None, row="physics/train-abc",
                why="it still runs: kubectl says no end of it"),
        Refused(line=None, row="physics/train-abc",
                why="status.startTime: expected a time such as 2026-10-05T10:00:00Z, found "
                    f'"soon"; {ANEW}'),
        Refused(line=None, row="items[3]", why="neither a Pod nor a Job"),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["no", "[1]", '{"a": 1}'])
def test_what_is_no_dump_of_kubectl(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"expected the (JSON|list) of kubectl get"):
        list(kubernetes.pods(path))


# --- PBS -----------------------------------------------------------------------------------------

PBS = """Job Id: 12.head
    Job_Name = train
    Job_Owner = anna@login
    resources_used.ncpus = 16
    resources_used.walltime = 02:00:00
    job_state = F
    queue = gpu
    Account_Name = chem
    exec_vnode = (gpu01:ncpus=8:ngpus=2:mem=64gb)+(gpu02:ncpus=8:ngpus=
\t2:mem=64gb)
    Resource_List.ngpus = 4
    stime = Mon Oct  5 10:00:00 2026
    ctime = Mon Oct  5 09:00:00 2026
    Exit_status = 0

Job Id: 13.head
    Job_Name = waits
    job_state = Q
    Resource_List.ngpus = 4

Job Id: 14.head
    Job_Name = odd
    job_state = F
    resources_used.walltime = 00:10:00
    Exit_status = 271
"""


def test_pbs_in_text_and_in_json(tmp_path: Path) -> None:
    path = tmp_path / "qstat.txt"
    path.write_text(PBS)
    job, odd = list(pbs.jobs(path, UTC))
    assert isinstance(job, Facts)
    assert (job.job, job.raw, job.cluster, job.user, job.account, job.partition) == (
        "12", "12.head", "head", "anna", "chem", "gpu",
    )  # fmt: skip
    assert (job.devices, job.seconds, job.node_list, job.cpus) == (4.0, 7200.0, "gpu01,gpu02", 16.0)
    assert (job.start, job.state) == (1791194400.0, "completed")
    assert odd == Refused(line=None, row="14.head", why="stime: not there, or no time")
    listed = {
        "Jobs": {
            "12.head": {
                "job_state": "F", "queue": "gpu", "stime": "Mon Oct  5 10:00:00 2026",
                "resources_used": {"walltime": "02:00:00"}, "Resource_List": {"ngpus": 4},
                "Exit_status": 1,
            }
        }
    }  # fmt: skip
    path.write_text(json.dumps(listed))
    (again,) = list(pbs.jobs(path, UTC))
    assert isinstance(again, Facts)
    assert (again.devices, again.state, again.attempt) == (4.0, "failed", job.attempt)
    path.write_text("nothing")
    with pytest.raises(InputError, match="expected the output of qstat -x -f"):
        list(pbs.jobs(path, UTC))


def test_pbs_as_sites_print_it(tmp_path: Path) -> None:
    path = tmp_path / "qstat.txt"
    # seconds since 1970 beside the time, vnodes of a host, no project, a second start
    path.write_text(
        PBS.partition("Job Id: 13")[0]
        .replace("Mon Oct  5 10:00:00 2026", "1791194400 (Mon Oct 05 12:00:00 CEST 2026)")
        .replace("(gpu01:", "(gpu01[0]:ncpus=4:ngpus=1)+(gpu01[1]:")
        .replace("Account_Name = chem", "project = _pbs_project_default\n    run_count = 2")
    )
    (job,) = pbs.jobs(path, UTC)
    assert isinstance(job, Facts)
    assert (job.start, job.clock, job.attempt) == (1791194400.0, "absolute", "1791194400")
    assert (job.nodes, job.node_list, job.devices) == (2, "gpu01,gpu02", 5.0)
    assert (job.account, job.why) == (None, "it ran 2 times, of which PBS tells the last alone")


def test_an_array_of_pbs_has_run_as_its_subjobs(tmp_path: Path) -> None:
    one = PBS.partition("Job Id: 13")[0]
    array = "Job Id: 12[].head\n    job_state = F\n    array = True\n    Exit_status = 0\n"
    path = tmp_path / "qstat.txt"
    path.write_text(array)
    assert list(pbs.jobs(path, UTC)) == [
        Refused(line=None, row="12[].head",
                why="an array without its subjobs, which are where it ran: run qstat with -t"),
    ]  # fmt: skip
    path.write_text(array + one.replace("12.head", "12[1].head"))
    (job,) = pbs.jobs(path, UTC)
    assert isinstance(job, Facts)
    assert (job.job, job.devices) == ("12[1]", 4.0)
    for state in "QHWTM":  # none of them has run here: T is on its way, M was moved elsewhere
        path.write_text(array.replace("state = F", f"state = {state}") + one)
        assert [type(found) for found in pbs.jobs(path, UTC)] == [Facts]


@pytest.mark.parametrize(
    ("letter", "states"),
    [
        *[(letter, []) for letter in "QHWTM"],
        *[(letter, ["running"]) for letter in "RE"],
        *[(letter, ["suspended"]) for letter in "SU"],
        *[(letter, ["completed"]) for letter in "FX"],
    ],
)
def test_the_states_of_pbs(tmp_path: Path, letter: str, states: list[str]) -> None:
    """U is suspended too, where its host is used by who sits at it: it was passed over."""
    path = tmp_path / "qstat.txt"
    path.write_text(
        PBS.partition("Job Id: 13")[0].replace("job_state = F", f"job_state = {letter}")
    )
    assert [found.state for found in pbs.jobs(path, UTC) if isinstance(found, Facts)] == states


def test_a_state_that_pbs_does_not_have_is_refused(tmp_path: Path) -> None:
    """C is Torque's, whose qstat says other things under the same names."""
    path = tmp_path / "qstat.txt"
    path.write_text(PBS.replace("job_state = F", "job_state = C"))
    assert [(found.row, found.why) for found in pbs.jobs(path, UTC)] == [  # type: ignore[union-attr]
        (job, 'job_state: no state of PBS Professional: "C"') for job in ("12.head", "14.head")
    ]


# --- reports of the tracker ----------------------------------------------------------------------


def tracked(folder: Path, name: str, *, job: str | None = "slurm:7", **changes: Any) -> None:
    """A report as costcalc track leaves it: two hours on four devices, boards metered."""
    made: dict[str, Any] = dict(
        costcalc.estimate(
            {
                "model": {"preset": "llama-3-8b"},
                "hardware": {"accelerator": "h100-sxm5-80", "count": 4},
                "measured": {"wall_clock": "2 h", "energy_it": "5 kWh"},
            }
        ).to_dict()
    )
    made["details"] = {**made["details"], "tracking": {"job": job} if job else {"steps": 3}}
    made["measurement"] = {
        "meters": [], "gaps": 0.01, "nodes": 1,
        "components": [
            {"component": "device", "energy": 2.4, "unit": "kWh", "basis": "measured",
             "meter": "NVML"},
            {"component": "hosts", "energy": 2.6, "unit": "kWh", "basis": "modelled", "meter": "-"},
        ],
    }  # fmt: skip
    made |= changes
    made["digest"] = digest(made)
    (folder / name).write_text(json.dumps(made))


def test_what_was_measured_from_within_wins_whichever_comes_first(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    tracked(folder, "7.json")
    sacct = tmp_path / "sacct.txt"
    sacct.write_text("\n".join(dump(line(JobID="7", ConsumedEnergyRaw="18000000"))))
    of_slurm = Asked(source="slurm", where=str(sacct))
    of_reports = Asked(source="reports", where=str(folder))
    ends = []
    for first, second in ((of_slurm, of_reports), (of_reports, of_slurm)):
        with memory() as ledger:
            import_from(ledger, cluster(), first)
            import_from(ledger, cluster(), second)
            again = [import_from(ledger, cluster(), one).counted for one in (first, second)]
            assert sum(one.added + one.corrected for one in again) == 0
            (row,) = rows(ledger)
            ends.append((row.meter, row.scope, row.account, row.model, row.cost, row.energy))
            # 2.4 kWh over 8 device-hours are 300 W a board
            assert row.mean_power == pytest.approx(300.0)
            assert row.energy_it == pytest.approx(2.4 + 8 * 0.275)
    assert ends[0] == ends[1]
    assert ends[0][:4] == ("costcalc track: NVML", "boards", "chemistry", "llama-3-8b")


def test_a_report_of_a_requeued_job_is_laid_on_all_its_attempts(tmp_path: Path) -> None:
    tracked(tmp_path, "7.json")
    with memory() as ledger:
        found = [
            line(JobID="7", State="NODE_FAIL", ElapsedRaw="3600"),
            line(JobID="7", Start="2026-10-05T13:00:00", ElapsedRaw="3600"),
        ]
        sacct = tmp_path / "sacct.txt"
        sacct.write_text("\n".join(dump(*found)))
        import_from(ledger, cluster(), Asked(source="slurm", where=str(sacct)))
        sacct.unlink()
        import_from(ledger, cluster(), Asked(source="reports", where=str(tmp_path)))
        both = rows(ledger)
        assert [row.metered for row in both] == pytest.approx([1.2, 1.2])


def test_a_meter_of_a_job_is_of_the_attempts_of_all_imports(tmp_path: Path) -> None:
    """2 h are metered; the attempts are of 2 h and 6 h, of which a quarter is."""
    folder = tmp_path / "reports"
    folder.mkdir()
    tracked(folder, "7.json")
    first = line(JobID="7", State="NODE_FAIL")
    second = line(
        JobID="7", Start="2026-10-05T13:00:00", End="2026-10-05T19:00:00", ElapsedRaw="21600"
    )
    of_reports = Asked(source="reports", where=str(folder))
    ends = []
    for told in ([[first, second]], [[first], [second]], [[second], [first]]):
        with memory() as ledger:
            import_from(ledger, cluster(), of_reports)
            for some in told:
                sacct = tmp_path / "sacct.txt"
                sacct.write_text("\n".join(dump(*some)))
                taken = import_from(ledger, cluster(), Asked(source="slurm", where=str(sacct)))
            found = sorted(rows(ledger), key=lambda row: row.seconds)
            ends.append([(row.seconds, row.metered, row.meter) for row in found])
            assert found[0].why == "costcalc track: NVML covers 25 % of its time"
            again = import_from(ledger, cluster(), Asked(source="slurm", where=str(sacct))).counted
            assert (again.added, again.corrected) == (0, 0)
    # the first attempt had its meter until the second was told of
    assert ends == [[(7200.0, None, None), (21600.0, None, None)]] * 3
    assert taken.counted.added == 1


def test_a_report_of_a_part_of_a_job_is_not_its_meter(tmp_path: Path) -> None:
    """2.4 kWh in 2 h tell nothing of the other 8 of 10 h: they were 12 kWh of a meter."""
    folder = tmp_path / "reports"
    folder.mkdir()
    tracked(folder, "7.json")
    sacct = tmp_path / "sacct.txt"
    sacct.write_text(
        "\n".join(dump(line(ElapsedRaw="36000", JobID="7", End="2026-10-05T20:00:00")))
    )
    of_slurm = Asked(source="slurm", where=str(sacct))
    of_reports = Asked(source="reports", where=str(folder))
    for order in ((of_slurm, of_reports), (of_reports, of_slurm), (of_slurm, of_reports, of_slurm)):
        with memory() as ledger:
            for one in order:
                import_from(ledger, cluster(), one)
            (row,) = rows(ledger)
            said = (row.metered, row.meter, row.why, row.model)
            assert said == (
                None,
                None,
                "costcalc track: NVML covers 20 % of its time",
                "llama-3-8b",
            )


def test_what_a_meter_covers_of_an_attempt_is_told_of_that_attempt() -> None:
    """Of two of 2 h each: 1 h is half of the one that it is of, and a quarter of both."""
    both = [
        line(JobID="7"),
        line(JobID="7", Start="2026-10-05T14:00:00", End="2026-10-05T16:00:00"),
    ]
    with memory() as ledger:
        imported(ledger, cluster(), *both)
        first, second = sorted(rows(ledger), key=lambda row: row.start)
        told = Reading(
            source="report", cluster=first.cluster, job="7", attempt=first.attempt, meter="NVML",
            scope="boards", joules=3.6e6, seconds=3600.0,
        )  # fmt: skip
        read_meters(ledger, cluster(), [told], source="reports", name="r")
        first, second = sorted(rows(ledger), key=lambda row: row.start)
        assert first.metered is None
        assert (first.why, second.why) == ("NVML covers 50 % of its time", None)


def test_a_report_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    tracked(tmp_path, "a.json", job=None)
    tracked(tmp_path, "b.json")
    text = (tmp_path / "b.json").read_text()
    (tmp_path / "b.json").write_text(text.replace('"gaps": 0.01', '"gaps": 0.02'))
    (tmp_path / "c.yaml").write_text("a: 1\n")
    found: Mapping[str, str] = {
        one.row: one.why for one in reports.readings(tmp_path) if isinstance(one, Refused)
    }
    assert sorted(found) == ["a.json", "b.json", "c.yaml"]
    assert found["a.json"].startswith("it names no job (costcalc track --identify does)")
    assert "digest" in found["b.json"]
    with pytest.raises(InputError, match="expected a folder of reports"):
        list(reports.readings(tmp_path / "none"))


def test_a_report_alone_is_a_job_of_its_own(tmp_path: Path) -> None:
    tracked(tmp_path, "7.json")
    with memory() as ledger:
        import_from(ledger, cluster(), Asked(source="reports", where=str(tmp_path)))
        (row,) = rows(ledger)
        assert (row.source, row.job, row.device, row.device_hours) == (
            "report", "7", "h100-sxm5-80", pytest.approx(8.0),
        )  # fmt: skip


def test_sources_by_their_names() -> None:
    with memory() as ledger:
        for source, said in (
            ("slrm", "expected one of slurm, reports, prometheus, kubernetes, lsf, pbs; "
                     'got "slrm"; did you mean slurm?'),
            ("pbs", "give the FILE of qstat -x -t -f -F json"),
            ("prometheus", "give the URL of a Prometheus: http://localhost:9090"),
        ):  # fmt: skip
            with pytest.raises(InputError) as error:
                import_from(ledger, cluster(), Asked(source=source))
            assert error.value.problems[0].message == said
