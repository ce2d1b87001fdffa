-- Policy "always": a leave is a reason for a new MSK, as an expulsion is.                                             POC-8
--
--   bob           BYE; keeps his keys and goes on listening
--   PF -> others  UPDATE with MSK 2                                                                                   POC-9
--   enabler       MSK 2, fresh MTK                                                                          POC-18, POC-19
--   others        lose nothing: for a leave, media never waits

scenario "A leave under policy always"

channel("dispatch", { on_leave = "always" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")

alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing by multicast")
bob:leave()
wait_for(bob:is("out"), 20000, "bob out")
wait_for(all(alice:is("keyed"), carol:is("keyed")), 5000, "the others keyed again")
wait(4000)
alice:talk_stop()

expect.rekeys("dispatch", 1)
expect.that(not bob:is("keyed")(), "bob does not hold the MSK that is on air")
expect.gap(carol)
expect.gap(alice)
