-- Three radios join; each gets the MSK under its own MUK and hears the group.
--
--   alice -> PF   INVITE, 401, INVITE with the digest of its GBA context     POC-2, POC-3, POC-5
--   PF -> alice   UPDATE: five m-lines, MIKEY(MSK under MUK)                  POC-4, POC-6, POC-7
--   PF -> enabler start(MSK), not before somebody holds it                    POC-13
--   alice talks   bob and carol open STKM, MTK, media                         POC-1, POC-15

scenario "Three radios join and hear each other by multicast"

channel("dispatch")
local alice, bob, carol = client("alice"), client("bob"), client("carol", { update_allowed = false })

expect.on_air("dispatch", false)
for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")

alice:floor_request()
alice:talk { ms = 8000 }
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing by multicast")
wait(500)
expect.by_multicast(bob)
expect.by_multicast(carol)
expect.gap(bob)
expect.gap(carol)
expect.no_rekey("dispatch")
