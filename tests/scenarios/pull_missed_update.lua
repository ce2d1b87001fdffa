-- Carol drives through a tunnel while the MSK changes. When she is back she hears an STKM under an MSK that she does not have:
-- she waits the back-off that the service announces, asks for it, and goes on.                 MBMS-1, MBMS-9, MBMS-14
--
--   PF -> carol   MSK 2 by push, again and again, then no more: she will have to pull                            MBMS-9
--   air -> carol  STKM under MSK 2
--   carol -> PF   after wait time and back-off: POST msk-request                                       MBMS-1, MBMS-14
--   PF -> carol   200 OK, then MSK 2 by push                                                           MBMS-3, MBMS-6

scenario "A client misses a key update and pulls"

pf:configure { push_tries = 3, push_first_ms = 200, push_cap_ms = 400 }
channel("fire", { group = false, wait_time_s = 1, max_back_off_s = 1 })
local alice, carol = client("alice"), client("carol")

for _, radio in ipairs { alice, carol } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), carol:is("registered")), 20000, "both registered")
wait_for(all(alice:is("keyed"), carol:is("keyed")), 20000, "both keyed")
source:play("fire")
wait_for(carol:is("by multicast"), 7000, "carol hearing")

-- An STKM may have been faster than her first MSK: that is another story.
local missed, grants = carol:count("missed"), carol:count("grants")
carol:coverage(false)
wait(200)
pf:rekey("fire")
wait(5000)
expect.holders("fire", alice)
expect.that(carol:count("missed") == missed, "carol knows nothing of it")

local back = now()
carol:coverage(true)
wait_for(function() return carol:count("missed") > missed end, 7000, "carol noticing")
local noticed = now()
wait_for(function() return carol:count("grants") > grants end, 30000, "the answer to carol's request")
expect.that(now() - noticed >= 1000, "carol did not ask before the announced wait time")
wait_for(carol:is("keyed"), 20000, "carol keyed again")
wait(1000)
expect.holders("fire", alice, carol)
expect.no_rekey("fire", back)
expect.gap(alice)
