-- Belt and braces: every rekey goes out as an offer and as a push, the same sealed message both times, and whichever is
-- confirmed first counts. Carol is where no push reaches her: the offer does. Alice gets both, and that is one key.
--                                                                                             MBMS-8, MBMS-9, POC-11
--
--   PF -> alice   UPDATE with MSK 2, and MSK 2 by push
--   PF -> carol   UPDATE with MSK 2, and a push that is lost

scenario "Rekeys by SIP and by push at once"

pf:configure { pushes_to_peer = true }
channel("dispatch", { delivery = "both", gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")
alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing alice")

carol:coverage(false) -- SIP goes another way
cf:expel(bob)
wait_for(bob:is("out"), 30000, "bob out")
wait(2000)
carol:coverage(true)
wait_for(all(alice:is("keyed"), carol:is("keyed")), 30000, "alice and carol keyed")
wait(3000)
expect.holders("dispatch", alice, carol)
expect.that(alice:count("keys") == 2, "the same key by two ways is one key")
expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.rekeys("dispatch", 1)
