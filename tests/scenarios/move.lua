-- Alice's phone changes from one network to another and has another address. She registers from there, and from then on keys
-- are pushed to where she is.                                                                           MBMS-6, MBMS-8
--
--   alice -> PF   POST register, from another address
--   PF -> alice   the current MSK; later MSK 2, both to the new address

scenario "A client changes its address"

pf:configure { push_first_ms = 200, push_cap_ms = 400 } -- several tries before the switch
channel("fire", { group = false })
local alice, bob = client("alice"), client("bob")

for _, radio in ipairs { alice, bob } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered")), 20000, "both registered")
wait_for(all(alice:is("keyed"), bob:is("keyed")), 20000, "both keyed")
source:play("fire")
wait_for(alice:is("by multicast"), 7000, "alice hearing")

local asked = alice:count("grants")
alice:move()
wait_for(function() return alice:count("registrations") == 2 end, 20000, "alice registered from her new address")
pf:rekey("fire")
wait(5000)
expect.holders("fire", alice, bob)
expect.that(alice:count("grants") == asked, "alice did not have to ask")
expect.gap(alice)
expect.gap(bob)
