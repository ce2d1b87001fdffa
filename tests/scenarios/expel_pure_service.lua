-- A service without a session has no Controlling Function to expel anybody: the operator of the PF does it. Bob keeps every key
-- he ever had, asks for more, registers again, and gets nothing, until the operator lets him in again.
--                                                                                            MBMS-2, MBMS-8, POC-17
--
--   operator -> PF   expel bob; media waits for the switch
--   PF -> others     MSK 2 by push                                                                                 MBMS-8
--   bob -> PF        POST msk-request, POST register: both refused                                                 MBMS-5
--   operator -> PF   admit bob
--   bob -> PF        POST register; the current MSK by push                                                        MBMS-6

scenario "The operator expels a client of a pure service, and lets it in again"

pf:configure { push_first_ms = 200, push_cap_ms = 400 } -- several tries before the switch
channel("fire", { group = false, gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered"), carol:is("registered")), 20000, "three clients registered")
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three clients keyed")
source:play("fire")
wait_for(all(alice:is("by multicast"), bob:is("by multicast"), carol:is("by multicast")), 7000, "everybody hearing")

pf:expel("fire", bob)
wait(500)
bob:pull("fire")
wait_for(bob:is("denied"), 20000, "the answer to bob's request")
expect.denied(bob, 403)
wait(4000)
bob:bootstrap() -- another B-TID does not help him
bob:register("fire")
wait_for(bob:is("denied"), 20000, "the answer to bob's registration")
expect.denied(bob, 403)
wait(2000)
expect.holders("fire", alice, carol)
expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.rekeys("fire", 1)
expect.confirmed("fire", 2)
expect.gap(alice)
expect.gap(carol)

pf:admit("fire", bob)
bob:register("fire")
wait_for(all(bob:is("registered"), bob:is("keyed")), 20000, "bob keyed again")
wait(1000)
expect.holders("fire", alice, bob, carol)
