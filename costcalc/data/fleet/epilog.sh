#!/bin/bash
# What a job came to, as one paragraph at the end of its own output.  For slurm.conf on the controller:
#   EpilogSlurmctld=/etc/slurm/costcalc-epilog.sh
# The ledger's URL and fleet.yaml are named here; the file of the ledger belongs to SlurmUser.
export COSTCALC_FLEET_LEDGER=${COSTCALC_FLEET_LEDGER:-sqlite:////var/lib/costcalc/fleet.db}
export COSTCALC_FLEET=${COSTCALC_FLEET:-/etc/costcalc/fleet.yaml}
COSTCALC=${COSTCALC:-costcalc}

# The controller waits for this script: all else goes on in the background.
(
    job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}}
    job=${job:-$SLURM_JOB_ID}
    # a line a field: in one line (-o) a blank in a path looks like its end
    output=$(scontrol show job "$SLURM_JOB_ID" 2>/dev/null | sed -n 's/^ *StdOut=//p' | head -n 1)
    for _ in $(seq 30); do # until the accounting has the job's end
        case $(sacct -j "$job" -X -n -P -o End 2>/dev/null | tail -n 1) in
            20*) break ;;
        esac
        sleep 2
    done
    "$COSTCALC" fleet import slurm --job "$job" >/dev/null 2>&1 || exit 0
    words=$("$COSTCALC" fleet job "$job" --words 2>/dev/null) || exit 0
    [ -n "$output" ] && [ "$output" != /dev/null ] || exit 0
    # As the user: what a link in the user's folder points to is then no more than theirs.
    if [ "$(id -u)" = 0 ]; then
        runuser -u "$SLURM_JOB_USER" -- sh -c '[ ! -f "$2" ] || printf "\n%s\n" "$1" >> "$2"' - "$words" "$output"
    elif [ "$(id -un)" = "$SLURM_JOB_USER" ]; then
        [ ! -f "$output" ] || printf '\n%s\n' "$words" >> "$output"
    fi
) </dev/null >/dev/null 2>&1 &
exit 0
