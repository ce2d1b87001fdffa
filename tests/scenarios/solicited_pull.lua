-- The operator wants to see who is still there: the PF sends a MIKEY message with key number 0, which is no key and says
-- "ask me". Who gets it asks for the current MSK at once.                                              MBMS-10, MBMS-12
--
--   PF -> all     MIKEY, key number 0: nothing to install, nothing to acknowledge                               MBMS-10
--   all -> PF     POST msk-request, key number 0: "the current one"                                      MBMS-3, MBMS-5
--   PF -> all     the current MSK by push                                                               MBMS-6, MBMS-12

scenario "The PF has its clients pull"

channel("fire", { group = false })
local alice, bob, carol = client("alice"), client("bob"), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered"), carol:is("registered")), 20000, "three clients registered")
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three clients keyed")
source:play("fire")
wait_for(alice:is("by multicast"), 7000, "alice hearing")

local before = now()
local function asked(radio, times)
    local already = radio:count("grants")
    return function() return radio:count("grants") >= already + times end
end
local bob_asks, carol_asks = asked(bob, 1), asked(carol, 1)
local alice_asks, alice_asks_twice = asked(alice, 1), asked(alice, 2)
pf:solicit("fire", alice)
wait_for(alice_asks, 30000, "alice having asked")
expect.that(not bob_asks(), "nobody else was meant")
pf:solicit("fire")
wait_for(all(bob_asks, carol_asks), 30000, "bob and carol having asked")
wait_for(alice_asks_twice, 30000, "alice having asked again")
wait(1000)
expect.holders("fire", alice, bob, carol)
expect.no_rekey("fire", before)
expect.that(alice:count("keys") == 1, "what alice holds she installs once")
expect.gap(alice)
