-- Carol's radio answers the INVITE dialog but never an offer. The others do not wait for her longer than the deadline, and
-- she is not left in silence: what the group hears by multicast she hears by unicast.             POC-11, POC-16, POC-21

scenario "A member that never answers an offer"

channel("dispatch", { gate = "hold", deadline_ms = 1000 })
local alice, bob, dave = client("alice"), client("bob", { keeps_keys = true }), client("dave")
local carol = client("carol", { answers_offers = false })

for _, radio in ipairs { alice, bob, carol, dave } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), dave:is("keyed"), carol:is("in")), 30000, "three keyed, carol in")

alice:talk()
wait_for(all(bob:is("by multicast"), dave:is("by multicast"), carol:is("by unicast")), 10000, "everybody hearing")
cf:expel(bob)
wait_for(bob:is("out"), 30000, "bob out")
wait(5000)

expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
expect.gap(dave)
expect.by_unicast(carol)
expect.by_multicast(dave)
