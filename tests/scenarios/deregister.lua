-- Bob has heard enough and says so. He stops listening at once, and by the policy of the service those who stay get another
-- MSK, which he is not given.                                                                    MBMS-3, MBMS-5, MBMS-8
--
--   bob -> PF     POST deregister; 200 OK
--   PF -> others  MSK 2 by push
--   bob -> PF     POST register: he is welcome again                                                             MBMS-6

scenario "A client deregisters, and comes back"

channel("fire", { group = false, on_leave = "always" })
local alice, bob = client("alice"), client("bob", { keeps_keys = true })

for _, radio in ipairs { alice, bob } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered")), 20000, "both registered")
wait_for(all(alice:is("keyed"), bob:is("keyed")), 20000, "both keyed")
source:play("fire")
wait_for(all(alice:is("by multicast"), bob:is("by multicast")), 7000, "both hearing")

bob:deregister("fire")
wait_for(function() return not bob:is("registered")() end, 20000, "bob having deregistered")
wait(4000)
expect.holders("fire", alice)
expect.rekeys("fire", 1)
expect.gap(alice)

bob:register("fire")
wait_for(all(bob:is("registered"), bob:is("keyed")), 20000, "bob keyed again")
wait(1000)
expect.holders("fire", alice, bob)
