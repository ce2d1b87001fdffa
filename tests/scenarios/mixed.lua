-- One channel, two kinds of members: Alice, Bob and Erin are in the PoC session, Carol and Dave only listen and have registered
-- over HTTP. Bob is expelled by the Controlling Function, Dave by the operator: neither hears what follows, nobody else loses a
-- word.                                                                                  MBMS-8, POC-10, POC-17, POC-22
--
--   CF -> PF         BYE bob:    MSK 2 to alice and erin by UPDATE, to carol and dave by push
--   operator -> PF   expel dave: MSK 3 to alice and erin by UPDATE, to carol by push

scenario "Members by SIP and members by HTTP on one channel"

channel("dispatch", { admit = "authenticated", delivery = "sip", gate = "hold" })
local alice, bob = client("alice"), client("bob", { keeps_keys = true })
local erin = client("erin")
local carol, dave = client("carol"), client("dave", { keeps_keys = true })

for _, radio in ipairs { alice, bob, erin, carol, dave } do
    radio:bootstrap()
end
for _, radio in ipairs { alice, bob, erin } do
    radio:join("dispatch")
end
for _, radio in ipairs { carol, dave } do
    radio:register("dispatch")
end
wait_for(all(carol:is("registered"), dave:is("registered")), 20000, "both registered")
wait_for(all(alice:is("keyed"), bob:is("keyed"), erin:is("keyed"), carol:is("keyed"), dave:is("keyed")),
    30000, "five clients keyed")
alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast"), dave:is("by multicast")), 7000, "three hearing alice")

cf:expel(bob)
wait_for(bob:is("out"), 30000, "bob out")
wait(4000)
expect.holders("dispatch", alice, erin, carol, dave)
pf:expel("dispatch", dave)
wait(4000)
expect.holders("dispatch", alice, erin, carol)
expect.exposure(bob, { max_ms = 200 })
expect.exposure(dave, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.played_after_switch(dave, 0)
expect.rekeys("dispatch", 2)
expect.confirmed("dispatch", 3)
expect.gap(carol)
expect.gap(erin)
