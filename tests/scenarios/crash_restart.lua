-- kill -9 at the PF at any moment of an expulsion: between two effects, while a record is being written, before or after an
-- offer. When it is back, members are still members, bob is still out, and the MSK is one that bob never had.
--                                                                                         POC-10, POC-17, POC-20, POC-22
--
--   CF -> PF   BYE bob
--   PF         PERSIST, OFFER ... crash
--   PF         restart: restored members get a fresh MSK; the CF repeats what was not answered

scenario "The PF crashes in the middle of an expulsion"

channel("dispatch", { gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")

alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing by multicast")
cf:expel(bob)
wait(chance(0, 40))
pf:crash()
wait(1000)
pf:restart()

wait_for(all(alice:is("keyed"), carol:is("keyed"), carol:is("by multicast")), 40000, "alice and carol keyed again")
wait(5000)
wait_for(carol:is("by multicast"), 10000, "carol hearing by multicast")
expect.that(not bob:is("keyed")(), "bob does not hold the key on air")
expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
local settled = now()
wait(2000)
expect.on_air("dispatch", true, settled)
