-- Carol is expelled while the rekey because of bob is still running. She may hold the next MSK already: it is thrown away,
-- and a third one is given to those who really stay.                                                       POC-10, POC-20
--
--   CF -> PF      BYE bob                 MSK 2 to alice, carol, dave
--   dave          is slow, so the rekey stays open
--   CF -> PF      BYE carol               MSK 3 to alice, dave
--   enabler       never sees MSK 2                                                                                   POC-18

scenario "A second expulsion while the first rekey runs"

channel("dispatch", { gate = "hold", deadline_ms = 2000 })
local alice = client("alice")
local bob = client("bob", { keeps_keys = true })
local carol = client("carol", { keeps_keys = true })
local dave = client("dave")

for _, radio in ipairs { alice, bob, carol, dave } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed"), dave:is("keyed")), 30000, "four radios keyed")

alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing alice")
net { delay_ms = 40, jitter_ms = 30, reorder = 0.1 }
wait(200)

cf:expel(bob)
wait(chance(0, 150))
cf:expel(carol)
wait_for(all(bob:is("out"), carol:is("out")), 30000, "both out")
wait(6000)

expect.exposure(bob, { max_ms = 400 })
expect.exposure(carol, { max_ms = 400 })
expect.played_after_switch(bob, 0)
expect.played_after_switch(carol, 0)
expect.that(alice:is("keyed"), "alice holds the key on air")
expect.that(dave:is("keyed"), "dave holds the key on air")
