-- kill -9 at the PF in the middle of an expulsion from a service without a session. When it is back, those who were registered
-- are members still and are pushed an MSK that bob never had; bob is still barred.                    MBMS-8, POC-17
--
--   operator -> PF   expel bob; PERSIST, PUSH ... crash
--   PF               restart: a fresh MSK, pushed to those who are stored with their addresses

scenario "The PF crashes, and its registered clients are members still"

channel("fire", { group = false, gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered"), carol:is("registered")), 20000, "three clients registered")
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three clients keyed")
source:play("fire")
wait_for(all(alice:is("by multicast"), bob:is("by multicast")), 7000, "everybody hearing")

pf:expel("fire", bob)
wait(chance(20, 400))
pf:crash()
wait(1000)
pf:restart()
wait_for(all(alice:is("keyed"), carol:is("keyed"), carol:is("by multicast")), 40000, "alice and carol keyed again")
wait(3000)
bob:register("fire")
wait_for(bob:is("denied"), 30000, "the answer to bob's registration")
expect.denied(bob, 403)
wait(2000)
expect.holders("fire", alice, carol)
expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
