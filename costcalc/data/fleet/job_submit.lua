-- What every submission can cost at most, said to its user, and refused above a limit.
-- For slurm.conf: JobSubmitPlugins=lua; this file is job_submit.lua beside it.
-- It runs inside slurmctld: it asks nobody and reads no file.  `costcalc sbatch --dry-run` says the
-- same with energy, CO2e and the estimate of the run file.

-- Money a device-hour by partition: the prices of fleet.yaml.
local PRICES = { gpu = 1.90, old = 0.70 }
local CURRENCY = "EUR"
-- No job may be able to cost more; nil: any may.
local MOST = nil
-- Of jobs without a time limit the partition's own is taken, in minutes.
local LIMITS = { gpu = 48 * 60, old = 7 * 24 * 60 }

local NO_VAL = 4294967294
local INFINITE = 4294967295

local function known(number)
    return number ~= nil and number ~= NO_VAL and number ~= INFINITE and number > 0
end

-- Devices of a text such as gres:gpu:h100:4 or gres/gpu=4; 0 where it names none.
local function devices(text)
    local total = 0
    for item in string.gmatch(text or "", "[^,]+") do
        if string.find(item, "gpu") then
            total = total + (tonumber(string.match(item, "[:=](%d+)$")) or 1)
        end
    end
    return total
end

local function nodes(job)
    if known(job.max_nodes) then return job.max_nodes end
    if known(job.min_nodes) then return job.min_nodes end
    return 1
end

local function tasks(job)
    return known(job.num_tasks) and job.num_tasks or 1
end

local function at_most(job)
    local held = devices(job.tres_per_job)
    if held == 0 then held = devices(job.tres_per_node) * nodes(job) end
    if held == 0 then held = devices(job.tres_per_task) * tasks(job) end
    local partition = job.partition or job.default_partition or ""
    local minutes = known(job.time_limit) and job.time_limit or LIMITS[partition]
    local price = PRICES[partition]
    if held == 0 or minutes == nil or price == nil then return nil, held end
    return held * minutes / 60 * price, held
end

function slurm_job_submit(job, _, _)
    local cost, held = at_most(job)
    if held == 0 then return slurm.SUCCESS end
    if cost == nil then
        slurm.log_user("costcalc: what this job can cost is not known: give --partition and --time")
        return slurm.SUCCESS
    end
    slurm.log_user(string.format("costcalc: this job can cost at most %.2f %s", cost, CURRENCY))
    if MOST ~= nil and cost > MOST then
        slurm.log_user(string.format("costcalc: more than %.2f %s: ask for less time or fewer devices",
            MOST, CURRENCY))
        return slurm.ERROR
    end
    return slurm.SUCCESS
end

function slurm_job_modify(_, _, _, _)
    return slurm.SUCCESS
end
