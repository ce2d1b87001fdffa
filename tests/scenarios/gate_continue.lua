-- Gate "continue": the operator prefers an unbroken sentence to a short exposure. What bob can still open ends with the
-- switch, at the latest after the deadline.                                                       POC-10, POC-16, POC-17

scenario "An expulsion with the gate open"

channel("dispatch", { gate = "continue", deadline_ms = 1000 })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")
alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing by multicast")
cf:expel(bob)
wait_for(bob:is("out"), 40000, "bob out")
wait(4000)

expect.exposure(bob, { max_ms = 1100 })
expect.played_after_switch(bob, 0)
expect.gap(carol)
expect.gap(alice)
