-- Three pushes of ten are lost, in both directions, and as many come late and out of order, behind their own repetitions and
-- behind later keys. The PF repeats the identical datagram, then a fresh one; a client answers what it has seen already and
-- installs nothing twice. Who was not reached pulls when it hears that it missed something.             MBMS-7, MBMS-9
--
--   PF -> all   MSK n, again, again ...
--   all -> PF   verification, again ...

scenario "A third of all pushes is lost, a third is late"

channel("fire", { group = false, max_back_off_s = 1 })
local radios = {}
for i = 1, 8 do
    radios[i] = client("radio" .. i)
    radios[i]:bootstrap()
    radios[i]:register("fire")
end
local function everybody(state)
    local conditions = {}
    for i, radio in ipairs(radios) do
        conditions[i] = radio:is(state)
    end
    return all(table.unpack(conditions))
end
wait_for(everybody("registered"), 60000, "eight registrations")
wait_for(everybody("keyed"), 60000, "eight clients keyed")
source:play("fire")

net { push_loss = 0.3, push_reorder = 0.3, delay_ms = 20, jitter_ms = 20, air_loss = 0.05 }
for i = 2, 5 do
    pf:rekey("fire")
    wait(chance(1000, 6000))
end
wait_for(everybody("keyed"), 60000, "everybody keyed at last")
wait(3000)
wait_for(everybody("keyed"), 60000, "everybody keyed still")
expect.holders("fire", table.unpack(radios))
local keys = 0
for _, radio in ipairs(radios) do
    keys = math.max(keys, radio:count("keys"))
end
expect.that(keys <= 5, "nobody installed a key twice")
