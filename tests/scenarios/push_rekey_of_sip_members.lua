-- A PoC session whose rekeys go by push: each client gets its first MSK with the offer of the multicast lines, the next one by
-- MIKEY over UDP, and no SIP message is spent on an expulsion but the BYE.                      MBMS-8, MBMS-9, POC-11
--
--   alice -> PF   INVITE; her contact says where to push to
--   PF -> alice   UPDATE with MSK 1                                                                                POC-3
--   CF -> PF      BYE bob
--   PF -> others  MSK 2 by push, verified by push                                                        MBMS-7, MBMS-8

scenario "Rekeys of a PoC session by push"

pf:configure { pushes_to_peer = true, push_first_ms = 200, push_cap_ms = 400 }
channel("dispatch", { delivery = "push", gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")
alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing alice")

local offers = alice:count("offers") + carol:count("offers")
cf:expel(bob)
wait_for(bob:is("out"), 30000, "bob out")
wait(5000)
expect.that(alice:count("offers") + carol:count("offers") == offers, "nobody was offered anything by SIP")
expect.holders("dispatch", alice, carol)
expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.rekeys("dispatch", 1)
expect.confirmed("dispatch", 2)
expect.gap(carol)
