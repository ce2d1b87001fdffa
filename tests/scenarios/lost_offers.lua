-- A third of all SIP messages is lost. Offers are repeated, answers are repeated, duplicates do no harm; who cannot be
-- reached before the deadline hears by unicast meanwhile and is offered the key again.            POC-11, POC-21, POC-22
--
--   PF -> all   UPDATE, UPDATE, UPDATE ...
--   CF -> PF    BYE bob (repeated until it is heard)

scenario "A third of SIP is lost"

channel("dispatch", { gate = "hold", deadline_ms = 2000 })
local alice, bob, carol, dave = client("alice"), client("bob", { keeps_keys = true }), client("carol"), client("dave")

for _, radio in ipairs { alice, bob, carol, dave } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed"), dave:is("keyed")), 30000, "four radios keyed")

net { loss = 0.33, delay_ms = 20, jitter_ms = 20, reorder = 0.05 }
alice:talk()
wait(3000)
cf:expel(bob)
wait_for(bob:is("out"), 40000, "bob out")
wait(6000)

expect.exposure(bob, { max_ms = 250 })
expect.played_after_switch(bob, 0)
net { loss = 0 }
wait_for(all(carol:is("keyed"), dave:is("keyed")), 60000, "carol and dave keyed in the end")
wait(1500)
expect.gap(carol, { max = 0 })
expect.gap(dave, { max = 0 })
