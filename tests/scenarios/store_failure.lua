-- The disk of the PF is full when Carol is expelled: her going cannot be recorded, so the group cannot be given a new key.
-- Then the group is silent, and everybody who stays hears by unicast. When the disk has room again the channel comes
-- back with a fresh MSK, and Carol, who kept every key she ever had, hears nothing of it.                POC-10, POC-17, POC-21
--
-- log: store_failed .*(full|disk I/O error)
-- log: store_failed .*channel=dispatch.*record not durable

scenario "A store that cannot write"

channel("dispatch")
local alice, bob = client("alice"), client("bob")
local carol = client("carol", { keeps_keys = true })

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three keyed")
alice:talk()
wait_for(bob:is("by multicast"), 10000, "bob hearing the group")
wait(500)

pf:disk(false)
cf:expel(carol)
wait_for(bob:is("by unicast"), 5000, "bob hearing by unicast")
local dark = now()
wait(2000)
expect.on_air("dispatch", false, dark)
expect.by_unicast(bob)

pf:disk(true)
wait_for(bob:is("by multicast"), 30000, "bob hearing the group again")
wait(1500)
expect.by_multicast(bob)
expect.that(bob:is("keyed"), "bob holds the MSK that is on air")
expect.exposure(carol, { max_ms = 200 })
expect.played_after_switch(carol, 0)
