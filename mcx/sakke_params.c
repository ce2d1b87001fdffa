#include "mcx/sakke_params.h"

/* Words from the least significant on. The values of RFC 6509 Appendix A, and what follows from them, are held against the
 * published ones and their definitions by tests/unit/mcx/test_sakke.c. */
const fp_mod sakke_p = {
    .m = { { UINT64_C(0x666d807afea85feb), UINT64_C(0x80c5df10ac7ace87), UINT64_C(0xfce3e82389857db0),
             UINT64_C(0x9f94d6af56971f1f), UINT64_C(0xa7cf3c521c3c09aa), UINT64_C(0xb6aff4a831852a82),
             UINT64_C(0x512ac5cd65681ce1), UINT64_C(0xe26c6487326b4cd4), UINT64_C(0x356d27f4a666a6d0),
             UINT64_C(0xe791b39ff7c88a19), UINT64_C(0x228730d531a59cb0), UINT64_C(0xf40aab27e2fc0f1b),
             UINT64_C(0xbe9ae358b3e01a2e), UINT64_C(0x416c0ce19cb48261), UINT64_C(0x65c61198dad0657a),
             UINT64_C(0x997abb1f0a563fda) } },
    .one = { { UINT64_C(0x99927f850157a015), UINT64_C(0x7f3a20ef53853178), UINT64_C(0x031c17dc767a824f),
               UINT64_C(0x606b2950a968e0e0), UINT64_C(0x5830c3ade3c3f655), UINT64_C(0x49500b57ce7ad57d),
               UINT64_C(0xaed53a329a97e31e), UINT64_C(0x1d939b78cd94b32b), UINT64_C(0xca92d80b5999592f),
               UINT64_C(0x186e4c60083775e6), UINT64_C(0xdd78cf2ace5a634f), UINT64_C(0x0bf554d81d03f0e4),
               UINT64_C(0x41651ca74c1fe5d1), UINT64_C(0xbe93f31e634b7d9e), UINT64_C(0x9a39ee67252f9a85),
               UINT64_C(0x668544e0f5a9c025) } },
    .r2 = { { UINT64_C(0xe199c8ceed17b0a1), UINT64_C(0x7ffd8b4be3620f7f), UINT64_C(0xca865d5f4f76e245),
              UINT64_C(0x623ff8dc27ecf5cb), UINT64_C(0x229900e1d19bb697), UINT64_C(0xed6aef26ea40c71f),
              UINT64_C(0xa3aed42cc906365c), UINT64_C(0x17d461b69eab6451), UINT64_C(0x2009367d7d666da9),
              UINT64_C(0x8bcad1dcb63c1d56), UINT64_C(0x5a126231c31a92dc), UINT64_C(0x5fb41b0eb8d94c5b),
              UINT64_C(0xc113d394843f623c), UINT64_C(0x5d8d8e74f159f1eb), UINT64_C(0xae4ba7edb5d48c14),
              UINT64_C(0x191640b9698af16a) } },
    .n0 = UINT64_C(0x290420077c8f2f3d),
};

const fp_mod sakke_q = {
    .m = { { UINT64_C(0xd99b601ebfaa17fb), UINT64_C(0x203177c42b1eb3a1), UINT64_C(0xff38fa08e2615f6c),
             UINT64_C(0xa7e535abd5a5c7c7), UINT64_C(0xa9f3cf14870f026a), UINT64_C(0x6dabfd2a0c614aa0),
             UINT64_C(0x144ab173595a0738), UINT64_C(0x389b1921cc9ad335), UINT64_C(0x4d5b49fd2999a9b4),
             UINT64_C(0x39e46ce7fdf22286), UINT64_C(0xc8a1cc354c69672c), UINT64_C(0xbd02aac9f8bf03c6),
             UINT64_C(0x6fa6b8d62cf8068b), UINT64_C(0x905b0338672d2098), UINT64_C(0x9971846636b4195e),
             UINT64_C(0x265eaec7c2958ff6) } },
    .one = { { UINT64_C(0xe65bbf478203701e), UINT64_C(0x3ed73166fd47ca34), UINT64_C(0x04aa23cab1b7c377),
               UINT64_C(0x10a0bdf8fe1d5150), UINT64_C(0x04492584d5a5f180), UINT64_C(0x6df81103b5b8403c),
               UINT64_C(0x863fd74be7e3d4ad), UINT64_C(0xac5d6935345f0cc1), UINT64_C(0x2fdc4411066605c6),
               UINT64_C(0xa4a572900c5330da), UINT64_C(0x4c3536c0358794f6), UINT64_C(0x91efff442b85e957),
               UINT64_C(0x6217aafaf22fd8b9), UINT64_C(0x9dddecad94f13c6d), UINT64_C(0x6756e59ab7c767c8),
               UINT64_C(0x19c7e751707ea038) } },
    .r2 = { { UINT64_C(0xda18351aab65130d), UINT64_C(0x53d2a86ff2ea3168), UINT64_C(0x9cf2730004b7e984),
              UINT64_C(0x7df33bab26caacf6), UINT64_C(0xbd9ffef9a4e7d523), UINT64_C(0xe4baf1d588717ce0),
              UINT64_C(0x24b1bbc4bc93533a), UINT64_C(0x9ad2dc261db57a34), UINT64_C(0x422970b3838d8f48),
              UINT64_C(0x890491f5401df1e3), UINT64_C(0xf3d2a16bbcb013be), UINT64_C(0x9b9de76d5595e10b),
              UINT64_C(0x58d7c6f9f724bb45), UINT64_C(0xb2074f8f97cac807), UINT64_C(0x76271e07c569cadc),
              UINT64_C(0x14274810a10f335f) } },
    .n0 = UINT64_C(0xb8a1d17d46eaa4cd),
};

const fp sakke_px = { { UINT64_C(0xbf9c7ec6e0162bc2), UINT64_C(0xddecc6e310a89289), UINT64_C(0x5d599df09e499d81),
                        UINT64_C(0x9a96ea286d358218), UINT64_C(0x01aec7d370c5f8db), UINT64_C(0xe72e49958cf5d066),
                        UINT64_C(0xc2e7297d3e91d7f8), UINT64_C(0x8621db92da9f2f5a), UINT64_C(0x4b26c8675a5679ed),
                        UINT64_C(0x233385df2c56aac1), UINT64_C(0xb88e74d4c6a13f99), UINT64_C(0x1214b173ffa8ec11),
                        UINT64_C(0xa0386a271f3f9fef), UINT64_C(0xbd9b1b4ec0e7b44e), UINT64_C(0xafe528dceecd3496),
                        UINT64_C(0x8dfff96a1c49f80b) } };
const fp sakke_py = { { UINT64_C(0xb4a4753ac03c0c83), UINT64_C(0x68e69d18abcdcd75), UINT64_C(0xe3839b88f775b649),
                        UINT64_C(0x803f949abf58f352), UINT64_C(0x5f702679bd0bc15c), UINT64_C(0x85bf5d168ff298c2),
                        UINT64_C(0x3f6ebd98c6c7976e), UINT64_C(0x20618af445e3e1b4), UINT64_C(0x67d5598e54e64093),
                        UINT64_C(0xb047283b504fed9e), UINT64_C(0x450cabfd70d87517), UINT64_C(0x47d628bf3f5addbe),
                        UINT64_C(0x0037ef3078cb4cca), UINT64_C(0x4e148d3c6b1c4908), UINT64_C(0xe256d3294fcfd837),
                        UINT64_C(0x2aa1207bde3c01f3) } };
const fp sakke_g = { { UINT64_C(0x170a46d2335c1685), UINT64_C(0xeac9e971e1007a58), UINT64_C(0x40e8f3df43ca4a73),
                       UINT64_C(0x2646f81582642475), UINT64_C(0x3af49bb4b36576d1), UINT64_C(0xd89e2d1472bf1afb),
                       UINT64_C(0x27be882c2fd151e6), UINT64_C(0xaddedc858f88717c), UINT64_C(0xd6d859bf16ac6c6f),
                       UINT64_C(0x0e741a1b2d8eae58), UINT64_C(0x6faf7a0061c1f30d), UINT64_C(0x66dbd09a9b67e096),
                       UINT64_C(0x21f11c067d3b4f7d), UINT64_C(0x6152ba02c727c98e), UINT64_C(0xafd58891e86cb221),
                       UINT64_C(0x59e93c6a6bd3baf4) } };
const fp sakke_sigma = { { UINT64_C(0x8d6f720f278709e8), UINT64_C(0xd412bf4edd844579), UINT64_C(0x191fc2a522c50a6e),
                           UINT64_C(0xe35c1b1e5920b7ef), UINT64_C(0x262e71cdca66213c), UINT64_C(0xcf37a9ef40bdc9a6),
                           UINT64_C(0xfbfae7dedea50b7f), UINT64_C(0xbddf8873b8ecb9cd), UINT64_C(0x6d63e82a2b372dac),
                           UINT64_C(0x517cfbbb1971c5ae), UINT64_C(0x8a324d2f8b942cc2), UINT64_C(0x23a4c97fd4694a0d),
                           UINT64_C(0x0a0de0224c3e1b5e), UINT64_C(0x596ff16434aaf69e), UINT64_C(0x313accb62e5cd294),
                           UINT64_C(0x5e1226c81e1f9787) } };
const fp sakke_omega = { { UINT64_C(0xe3813fa97e917e33), UINT64_C(0xdb9c68c11c74e09e), UINT64_C(0xe1f399df73b0aeed),
                           UINT64_C(0x9afb860be24a7ca8), UINT64_C(0xc1228475605d008e), UINT64_C(0x7b96b54b329e74a7),
                           UINT64_C(0x9dbfec11fcf73578), UINT64_C(0x722400fd56aef68a), UINT64_C(0x03dbcbdc70d232c9),
                           UINT64_C(0x506a3c36d366d3f7), UINT64_C(0xd79dff32bc3c9c6e), UINT64_C(0x99ed86388c1f0367),
                           UINT64_C(0xd2d04c226159c787), UINT64_C(0x93fdaf2b055831f8), UINT64_C(0x7ae912a5575f9130),
                           UINT64_C(0x84416e6ef7ae3237) } };
