-- Bob is talking when the chair has him expelled. His voice stops, and what follows is not for him.
--
--   alice -> CF   REFER bob;method=BYE
--   CF -> PF      BYE for bob; the PF gates at once                                                                  POC-10
--   PF -> others  UPDATE with MSK 2, then the switch with a fresh MTK                        POC-11, POC-16, POC-19, POC-22
--   bob           keeps MUK, MSK 1 and every MTK: opens nothing                                                      POC-17

scenario "Bob is expelled while he talks"

channel("dispatch", { gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")

bob:floor_request()
bob:talk()
wait_for(all(alice:is("by multicast"), carol:is("by multicast")), 7000, "both hearing bob")
wait(1000)

alice:expel(bob)
wait_for(bob:is("out"), 30000, "bob out")
bob:talk_stop()
alice:floor_request()
alice:talk { from_ms = 6000 }
wait(5000)

expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.gap(alice)
expect.gap(carol)
expect.rekeys("dispatch", 1)
