-- Somebody who sees every datagram of the key management and has no key sends noise, altered copies and replays of pushes to the
-- clients, in the PF's name, and of verification messages to the PF, in theirs. Nobody installs anything, nothing counts as
-- confirmed, and a rekey in the middle of it reaches everybody.                                        MBMS-7, MBMS-8
--
--   attacker -> all   MSK 1 again, with a bit turned, or noise: no answer but to what was answered before
--   attacker -> PF    verification messages that nobody sent, or sent long ago

scenario "An attacker on the push ports"

channel("fire", { group = false })
local alice, bob, carol = client("alice"), client("bob"), client("carol", { keeps_keys = true })

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:register("fire")
end
wait_for(all(alice:is("registered"), bob:is("registered"), carol:is("registered")), 20000, "three clients registered")
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three clients keyed")
source:play("fire")
for i = 1, 50 do
    attacker:strike("fire")
    wait(100)
    if i == 20 then
        pf:expel("fire", carol)
    end
end
wait(1000)
expect.holders("fire", alice, bob)
expect.that(alice:count("keys") == 2 and bob:count("keys") == 2, "one key each before and after")
expect.gap(alice)
expect.gap(bob)
expect.exposure(carol, { max_ms = 200 })
expect.played_after_switch(carol, 0)
expect.rekeys("fire", 1)
