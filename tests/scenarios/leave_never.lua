-- Policy "never": who hangs up costs nobody anything. What a leaver takes along stays open to it until the next rekey, and
-- the operator has chosen that.                                                                                       POC-8
--
--   bob   BYE; keeps his keys
--   all   same MSK, no offer, no gap

scenario "A leave under policy never"

channel("dispatch", { on_leave = "never" })
local alice, bob, carol = client("alice"), client("bob", { keeps_keys = true }), client("carol")

for _, radio in ipairs { alice, bob, carol } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed"), carol:is("keyed")), 20000, "three radios keyed")

alice:talk()
wait_for(all(bob:is("by multicast"), carol:is("by multicast")), 7000, "both hearing by multicast")
bob:leave()
wait_for(bob:is("out"), 20000, "bob out")
wait(3000)
alice:talk_stop()

expect.no_rekey("dispatch")
expect.by_multicast(bob)
expect.by_multicast(carol)
expect.gap(carol)
