-- A core that everybody trusts has authenticated the clients; the PF asks nobody for a digest in SIP and knows no MUK. It learns
-- each MUK from an HTTP registration, and from then on it has a key for the client.                    MBMS-4, MBMS-6
--
--   alice -> PF   INVITE, asserted by the core: in, by unicast
--   alice -> PF   POST register: B-TID and MUK are known
--   PF -> alice   UPDATE with MSK 1

scenario "MUKs by HTTP registration, sessions by a trusted core"

pf:configure { trusts_core = true }
channel("dispatch", { delivery = "both", gate = "hold" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("in"), bob:is("in"), carol:is("in")), 20000, "three sessions")
alice:talk()
wait(5000) -- sessions that a bad network confirms late
expect.that(bob:count("keys") == 0, "nobody has a key without a registration")
for _, radio in ipairs { alice, bob, carol } do
    radio:register("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 30000, "three radios keyed")
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing alice")

cf:expel(bob)
wait_for(bob:is("out"), 30000, "bob out")
wait(4000)
expect.holders("dispatch", alice, carol)
expect.exposure(bob, { max_ms = 200 })
expect.played_after_switch(bob, 0)
