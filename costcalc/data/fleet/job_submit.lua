-- What every submission can cost at most, said to its user, and refused above a limit.
-- For slurm.conf: JobSubmitPlugins=lua; this file is job_submit.lua beside it.
-- It runs inside slurmctld: it asks nobody and reads no file.  `costcalc sbatch --dry-run` says the
-- same with energy, CO2e (its 95th percentile, no maximum) and the estimate of the run file.
-- At most is of the dearest that Slurm may make of a request: as many nodes as it may spread tasks
-- on, whole nodes where a job has them to itself, the dearest of several partitions, all tasks of an
-- array, one attempt.  Left out: jobs that hold no device (they pass unsaid), and what slurm.conf
-- adds to a time limit (OverTimeLimit, KillWait).  MIG instances and shards count as whole devices.
-- Of a heterogeneous job Slurm shows one component at a time: each is said and judged alone.
-- @FROM@

-- Money a device-hour by partition, as { gpu = 1.90, old = 0.70 }, the highest where there are
-- several, and of what a kilowatt-hour is paid of with boards at their rating.  What a partition
-- that is not here costs is not known.
local PRICES = {}
-- By account, which comes before the partition's: { physics = 1.00 }.
local ACCOUNTS = {}
local CURRENCY = "USD"
-- Devices in a node, by partition; without it whole nodes are of unknown cost.
local PER_NODE = {}
-- Partitions whose nodes are given to one job at a time, where OverSubscribe does not say so.
local WHOLE = {}
-- No job may be able to cost more, nor be of unknown cost; nil: any may.
local MOST = nil
-- Of jobs without a time limit, in minutes, as { gpu = 48 * 60 }; fleet.yaml does not say it.  A
-- partition that is not here has its own of slurm.conf.
local LIMITS = {}

local NO_VAL16, NO_VAL, INFINITE = 65534, 4294967294, 4294967295
local JOB_SHARED_NONE, JOB_SHARED_TOPO = 0, 4
local MANY = { [""] = 1, k = 1024, m = 1024 ^ 2, g = 1024 ^ 3 }

local function known(number)
    return number ~= nil and number > 0 and number ~= NO_VAL and number ~= INFINITE
end

local function known16(number)
    return known(number) and number < NO_VAL16
end

-- Devices of a text such as gres:gpu:h100:4 or gres/gpu=4; 0 where it names none.
local function devices(text)
    local total = 0
    for item in string.gmatch(text or "", "[^,]+") do
        local name = string.match(item, "^%s*gres[:/](%a+)") or string.match(item, "^%s*(%a+)")
        if name == "gpu" or name == "shard" or name == "mps" then
            local count, many = string.match(item, "[:=](%d+)([kKmMgG]?)$")
            total = total + (tonumber(count) or 1) * MANY[string.lower(many or "")]
        end
    end
    return total
end

-- Tasks of an array such as 0-15:2%4; nil where it cannot be read.
local function tasks_of_array(text)
    if text == nil or text == "" then return 1 end
    local total = 0
    for item in string.gmatch(string.gsub(string.gsub(text, "%%.*", ""), "[%[%]]", ""), "[^,]+") do
        local first, last = string.match(item, "^%s*(%d+)%-(%d+)")
        local step = tonumber(string.match(item, ":(%d+)$") or 1)
        if first == nil then
            first = string.match(item, "^%s*(%d+)%s*$")
            last = first
        end
        if first == nil or step == 0 then return nil end
        total = total + math.max(math.floor((tonumber(last) - tonumber(first)) / step) + 1, 0)
    end
    return total
end

-- The one kind of device that a text names; nil where it names several, or none.
local function kind(text)
    if text == nil or text == "" or string.find(text, ",") then return nil end
    return (string.gsub(string.gsub(text, "^%s*gres[:/]", ""), "[:=]%d+%a?$", ""))
end

-- The most nodes and tasks: without a number of nodes there are no more of them than tasks.
local function shape(job)
    local tasks = known(job.num_tasks) and job.num_tasks or nil
    local each = known16(job.ntasks_per_node) and job.ntasks_per_node or nil
    local nodes = known(job.max_nodes) and job.max_nodes or nil
    if nodes == nil then
        local needed = tasks or 1
        if each and tasks and not job.tres_per_task and not job.tres_per_job
            and not job.tres_per_socket then
            needed = math.ceil(tasks / each)
        end
        nodes = math.max(needed, devices(job.tres_per_job))
    end
    if known(job.min_nodes) then nodes = math.max(nodes, job.min_nodes) end
    -- said of the job and of each node, Slurm holds both: as many nodes as have the job's number
    local all, one = devices(job.tres_per_job), devices(job.tres_per_node)
    if all > 0 and one > 0 and all % one == 0 and kind(job.tres_per_job) ~= nil
        and kind(job.tres_per_job) == kind(job.tres_per_node) then
        nodes = all / one
    end
    return nodes, tasks or nodes * (each or 1)
end

-- The most devices in a partition, and why they are not known.
local function held(job, partition, part)
    local nodes, tasks = shape(job)
    local asked = math.max(devices(job.tres_per_job), devices(job.tres_per_node) * nodes,
        devices(job.tres_per_task) * tasks)
    local per_gpu = known16(job.ntasks_per_gpu) and job.ntasks_per_gpu
    if asked == 0 and per_gpu and known(job.num_tasks) then asked = math.ceil(tasks / per_gpu) end
    local cores, threads = job.core_spec, job.thread_spec
    local whole = job.shared == JOB_SHARED_NONE or WHOLE[partition]
        or (part ~= nil and part.max_share == 0)
        or (cores ~= nil and cores < NO_VAL16) or (threads ~= nil and threads < NO_VAL16)
        or devices(job.tres_per_socket) > 0
    if job.shared == JOB_SHARED_TOPO then return nil, "--exclusive=topo takes more nodes" end
    if not whole then return asked end
    if PER_NODE[partition] then return math.max(asked, nodes * PER_NODE[partition]) end
    if asked == 0 and PRICES[partition] == nil then return 0 end
    return nil, "it takes whole nodes, of unknown size"
end

local function minutes(job, partition, part)
    if known(job.time_limit) then return job.time_limit end
    if job.time_limit ~= INFINITE then  -- none was said
        if LIMITS[partition] then return LIMITS[partition] end
        if part and known(part.default_time) then return part.default_time end
    end
    if part and known(part.max_time) then return part.max_time end
    return nil
end

local function price(job, partition)
    local account = job.account or job.default_account
    if account then return ACCOUNTS[account] or PRICES[partition] end
    local most = PRICES[partition]
    for _, each in pairs(ACCOUNTS) do most = most and math.max(most, each) end
    return most
end

-- Where it may run: what is asked for, else the partition that is the default.
local function partitions(job, parts)
    local found = {}
    for name in string.gmatch(job.partition or "", "[^,%s]+") do found[#found + 1] = name end
    if #found == 0 then
        for name, part in pairs(parts or {}) do
            if part.flag_default == 1 then found[#found + 1] = name end
        end
    end
    return found
end

-- The most that it can cost; nil with the reason, or with none where it holds no device.
local function at_most(job, parts)
    local most, lacks, some = 0, nil, false
    local tasks = tasks_of_array(job.array_inx)
    local names = partitions(job, parts)
    if #names == 0 then names = { "" } end
    for _, name in ipairs(names) do
        local part = parts and parts[name]
        local count, why = held(job, name, part)
        if count ~= 0 then
            some = true
            local long, each = minutes(job, name, part), price(job, name)
            if count == nil then lacks = lacks or why
            elseif tasks == nil then lacks = lacks or "its array cannot be read"
            elseif long == nil or each == nil then lacks = lacks or (each and "give --time" or "no price of partition "
                    .. (name ~= "" and name or "(none said)") .. " is known here")
            else most = math.max(most, count * long / 60 * each * tasks) end
        end
    end
    if not some then return nil end
    if lacks then return nil, lacks end
    return most
end

function slurm_job_submit(job, parts, _)
    local cost, lacks = at_most(job, parts)
    if cost == nil and lacks == nil then return slurm.SUCCESS end
    local what = "this job"
    if job.het_job_offset ~= nil and job.het_job_offset < NO_VAL then
        what = string.format("component %d of this job", job.het_job_offset)
    end
    if cost == nil then
        slurm.log_user(string.format("costcalc: what %s can cost is not known: %s", what, lacks))
        return MOST and slurm.ERROR or slurm.SUCCESS
    end
    slurm.log_user(string.format("costcalc: %s can cost at most %.2f %s", what, cost, CURRENCY))
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
