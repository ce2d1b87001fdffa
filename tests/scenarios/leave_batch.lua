-- Policy "batch": a shift ends, five hang up within a second, and one rekey covers them all.                 POC-8, POC-9

scenario "A shift goes home: one rekey for five"

channel("dispatch", { on_leave = "batch", leave_batch_ms = 2000 })
local alice, bob = client("alice"), client("bob")
local shift = {}
for i = 1, 5 do
    shift[i] = client("radio" .. i)
end

local function enter(radio)
    radio:bootstrap()
    radio:join("dispatch")
    wait_for(radio:is("in"), 20000, radio:name() .. " in")
end
enter(alice)
enter(bob)
for _, radio in ipairs(shift) do
    enter(radio)
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), shift[5]:is("keyed")), 20000, "everybody keyed")
wait(2000)

alice:talk()
wait_for(bob:is("by multicast"), 7000, "bob hearing by multicast")
local before = now()
for _, radio in ipairs(shift) do
    radio:leave()
    wait(200)
end
wait(800)
expect.no_rekey("dispatch", before) -- still collecting
wait(6000)
expect.rekeys("dispatch", 1, before)
expect.gap(bob)
