-- The MSK changes every ten seconds, in mid-sentence, and nobody loses a packet.                          POC-12, POC-16, POC-19

scenario "A new MSK every ten seconds"

channel("dispatch", { interval_s = 10 })
local alice, bob = client("alice"), client("bob")

for _, radio in ipairs { alice, bob } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed")), 20000, "both keyed")
local start = now()
alice:talk()
wait(25000)

expect.rekeys("dispatch", 2)
expect.gap(bob)
expect.gap(alice)
expect.by_multicast(bob)
