-- Clients that do not keep to the agreement: each is heard by unicast as before, the log of the PF says why, and nobody else
-- notices.                                                                              POC-4, POC-21, POC-22, POC-1
--
--   PF -> radio1..3   UPDATE with MIKEY; they answer with another group, another port, another direction
--   PF -> mallory     UPDATE with a MIKEY message that does not hold under his MUK: 488
--   old               says no a=bcastversion: is never offered anything
--
-- log: offer_not_accepted .*radio1@.*answer has another group
-- log: offer_not_accepted .*radio2@.*answer has another port
-- log: offer_not_accepted .*radio3@.*answer has another direction
-- log: offer_not_accepted .*mallory@.*has to bootstrap again
-- log: member_unicast .*mallory@.*refused the offer
-- log: member_unicast .*old@.*cannot receive multicast

scenario "Clients that do not keep to the agreement"

channel("dispatch")
local alice, bob = client("alice"), client("bob")
local others = {
    client("radio1", { answers = "other_group" }),
    client("radio2", { answers = "other_port" }),
    client("mallory", { answers = "wrong_key" }),
    client("old", { multicast = false }),
}
local wrong_way = client("radio3", { answers = "other_direction" })

for _, radio in ipairs { alice, bob, wrong_way, table.unpack(others) } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed")), 20000, "two keyed")
for _, radio in ipairs { wrong_way, table.unpack(others) } do
    wait_for(radio:is("in"), 20000, radio:name() .. " in")
end
wait(1000)
local settled = now()
alice:talk()
wait_for(bob:is("by multicast"), 10000, "bob hearing the group")
for _, radio in ipairs(others) do
    wait_for(radio:is("by unicast"), 10000, radio:name() .. " hearing by unicast")
end
wait_for(function() return wrong_way:is("by unicast")() or wrong_way:is("by multicast")() end, 10000, "radio3 hearing")
wait(3000)
expect.by_multicast(bob)
expect.gap(bob)
for _, radio in ipairs(others) do
    expect.by_unicast(radio)
    expect.played(radio, { min = 100 })
    expect.that(radio:is("in"), radio:name() .. " is still in the session")
end
expect.played(wrong_way, { min = 50 })
expect.no_rekey("dispatch", settled)
