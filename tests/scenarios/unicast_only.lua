-- A radio that knows nothing of multicast is in the same session and hears everything by unicast.                    POC-21
-- It is never offered a key and never listens to the group.                                                     POC-4, POC-7
--
-- log: member_unicast .*old@.*cannot receive multicast

scenario "A radio without multicast among others"

channel("dispatch")
local alice, bob = client("alice"), client("bob")
local old = client("old", { multicast = false })

for _, radio in ipairs { alice, bob, old } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), old:is("in")), 20000, "two keyed, the old one in")
wait(500)
alice:talk { ms = 6000 }
wait_for(all(bob:is("by multicast"), old:is("by unicast")), 5000, "each hearing their way")
wait(3000)

expect.by_multicast(bob)
expect.by_unicast(old)
expect.that(not old:is("listening")(), "the old radio does not listen to the group")
expect.played(old, { min = 140 })
