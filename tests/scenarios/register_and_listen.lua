-- A service without any SIP: three clients register over HTTP, are pushed the MSK, and hear what the content source sends.
--
--   alice -> PF   POST register; 401 with a challenge; POST with the digest under MRK                      MBMS-3, MBMS-4
--   PF -> alice   200 OK for each service, with a proof that it is the PF                                          MBMS-5
--   PF -> alice   the current MSK by MIKEY over UDP, which she verifies                            MBMS-6, MBMS-7, MBMS-8
--   air           STKM, to which nobody ever answers, and media                                          MBMS-13, MBMS-15

scenario "Three clients of a service without a session"

pf:configure { push_first_ms = 200, push_cap_ms = 400 } -- several tries before the switch
channel("fire", { group = false })
local alice, bob, carol = client("alice"), client("bob"), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered"), carol:is("registered")), 20000, "three registrations")
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three clients keyed")

source:play("fire")
wait_for(all(alice:is("by multicast"), bob:is("by multicast"), carol:is("by multicast")), 7000, "everybody hearing")
wait(1000)
expect.holders("fire", alice, bob, carol)
expect.that(alice:count("keys") == 1, "one key was enough")

local asked = alice:count("grants")
alice:pull("fire")
wait_for(function() return alice:count("grants") > asked end, 10000, "the answer to alice's request")
wait(1000)
pf:rekey("fire")
wait(4000)
expect.holders("fire", alice, bob, carol)
expect.rekeys("fire", 1)
expect.confirmed("fire", 3)
expect.gap(alice)
expect.gap(bob)
expect.gap(carol)
