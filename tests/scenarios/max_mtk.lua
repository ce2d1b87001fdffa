-- The third MTK under one MSK is the last: then the MSK changes, and nobody notices.                     POC-12, POC-16, POC-18
--
--   enabler   a new MTK every 100 packets, announced ahead of its first use
--   PF        after three of them a new MSK to everybody

scenario "A new MSK after three MTKs"

channel("dispatch", { max_mtk = 3, mtk_packets = 100 })
local alice, bob = client("alice"), client("bob")

for _, radio in ipairs { alice, bob } do
    radio:bootstrap()
    radio:join("dispatch")
end
wait_for(all(alice:is("keyed"), bob:is("keyed")), 20000, "both keyed")
alice:talk()
wait_for(bob:is("by multicast"), 7000, "bob hearing by multicast")
wait(12000)

expect.gap(bob)
expect.gap(alice)
expect.by_multicast(bob)
