-- Carol's radio refuses every key (488). By this channel's policy she goes on by unicast and loses nothing; on the strict
-- channel her session is ended, as RFC 4567 has it.                                                       POC-21, POC-22
--
--   PF -> carol   UPDATE with MIKEY
--   carol -> PF   488, Warning: 306
--   PF            carol by unicast; the others by multicast
--
-- log: offer_not_accepted .*carol@.*488
-- log: member_unicast .*carol@.*refused the offer

scenario "A client that refuses the key"

channel("dispatch", { on_refusal = "unicast" })
channel("strict", { on_refusal = "release" })
local alice, bob = client("alice"), client("bob")
local carol = client("carol", { refuses_keys = true })
local erin = client("erin", { refuses_keys = true })

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
erin:bootstrap()
erin:join("strict")
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("in")), 20000, "two keyed, carol in")

alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by unicast")), 10000, "each hearing their way")
wait(3000)
expect.by_multicast(bob)
expect.by_unicast(carol)
expect.that(carol:is("in"), "carol is still in the session")
wait_for(erin:is("out"), 40000, "the end of erin's session")
expect.that(not carol:is("listening")(), "carol does not listen to the group")
expect.gap(bob)
