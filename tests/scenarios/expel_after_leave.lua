-- Bob hangs up under policy "never" and goes on listening with the key in his radio, which is then stolen. The operator of the
-- PF expels Bob though he is no member any more: the key changes for everybody else, the thief opens nothing after that, and
-- does not come in again, not by a new session either, until the operator lets him.           POC-8, POC-10, POC-11, POC-17
--
--   bob              BYE; keeps MUK, MSK 1 and every MTK
--   operator -> PF   expel bob, who is no member; media waits for the switch                                          POC-10
--   PF -> others     UPDATE with MSK 2, then the switch with a fresh MTK                              POC-11, POC-18, POC-19
--   bob -> PF        INVITE: 403
--   operator -> PF   expel erin, whom nobody has seen: no rekey, as nobody left with MSK 2; admit bob
--   bob -> PF        INVITE; MSK 2

scenario "Bob is expelled after he has left with the key"

channel("dispatch", { on_leave = "never", gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")
local erin = client("erin")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")

alice:floor_request()
alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing alice")
bob:leave()
wait_for(bob:is("out"), 30000, "bob out")
wait(1000)
expect.no_rekey("dispatch")

pf:expel("dispatch", bob)
wait(4000)
expect.rekeys("dispatch", 1)
expect.confirmed("dispatch", 2)
expect.exposure(bob, { max_ms = 5000 })
expect.played_after_switch(bob, 0)
expect.gap(carol)

bob:bootstrap() -- another B-TID does not help him
bob:join("dispatch")
wait_for(bob:is("refused"), 20000, "the answer to bob's INVITE")
expect.refused(bob, 403)
pf:expel("dispatch", erin)
wait(2000)
expect.rekeys("dispatch", 1)

pf:admit("dispatch", bob)
bob:join("dispatch")
wait_for(bob:is("keyed"), 30000, "bob keyed again")
expect.rekeys("dispatch", 1)
expect.gap(carol)
