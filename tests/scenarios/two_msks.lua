-- A client keeps two MSKs of a key group. While MSK 1 is on air and MSK 2 is being handed out a second client is expelled: MSK 2
-- is void and MSK 3 is made. Who took MSK 3 beside MSK 2 would have to drop MSK 1, so nothing goes out under MSK 1 any more,
-- whatever the policy says about the gate.                                                            MBMS-8, MBMS-15
--
--   operator -> PF   expel bob:   MSK 2 to alice, carol, dave; carol is out of coverage, so the rekey stays open
--   operator -> PF   expel dave:  MSK 3 to alice and carol; the air is silent until the switch

scenario "Never a third MSK while the first is on air"

channel("fire", { group = false, gate = "continue", deadline_ms = 3000 })
local alice, carol = client("alice"), client("carol")
local bob, dave = client("bob", { keeps_keys = true }), client("dave", { keeps_keys = true })

for _, radio in ipairs { alice, bob, carol, dave } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered"), carol:is("registered"), dave:is("registered")), 20000, "four clients registered")
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed"), dave:is("keyed")), 30000, "four clients keyed")
source:play("fire")
wait_for(all(alice:is("by multicast"), bob:is("by multicast"), dave:is("by multicast")), 7000, "three hearing")

carol:coverage(false)
pf:expel("fire", bob)
wait(chance(600, 1200))
pf:expel("fire", dave)
wait(6000)
carol:coverage(true)
wait_for(carol:is("keyed"), 40000, "carol keyed again")
wait(2000)
expect.holders("fire", alice, carol)
expect.played_after_switch(bob, 0)
expect.played_after_switch(dave, 0)
expect.exposure(dave, { max_ms = 200 })
expect.gap(alice)
