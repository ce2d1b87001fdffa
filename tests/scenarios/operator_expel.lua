-- Bob's radio was stolen. The operator of the PF does not wait for the Controlling Function: he expels Bob himself, and later
-- orders a new MSK because he feels like it.
--
--   operator -> PF   expel bob; the PF gates at once and ends Bob's session                                          POC-10
--   PF -> others     UPDATE with MSK 2, then the switch with a fresh MTK                     POC-11, POC-16, POC-19, POC-22
--   bob              keeps MUK, MSK 1 and every MTK: opens nothing                                                   POC-17
--   operator -> PF   rekey; MSK 3 reaches those who are left, and nobody misses a word

scenario "The operator expels Bob, then orders a new MSK"

channel("dispatch", { gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")

alice:floor_request()
alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing alice")
wait(1000)

pf:expel("dispatch", bob)
wait_for(bob:is("out"), 30000, "bob out")
wait(3000)
pf:rekey("dispatch")
wait(3000)

expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.gap(carol)
expect.rekeys("dispatch", 2)
