# SPDX-License-Identifier: MIT
# Every type that a message may have. everything.c has the layout of it.

@0xd8b4a6f0e1c25937;

enum Colour {
  red @0;
  green @1;
  blue @2;
}

struct Box(T) {
  content @0 :T;
  mark @1 :UInt16;
}

struct Pair(A, B) {
  first @0 :A;
  second @1 :Box(B);
}

struct Small {
  x @0 :Int32 = -7;
  name @1 :Text;
  flag @2 :Bool;
}

struct Everything {
  nothing @0 :Void;
  flag @1 :Bool = true;
  int8 @2 :Int8 = -8;
  int16 @3 :Int16 = -1600;
  int32 @4 :Int32 = 320000;
  int64 @5 :Int64 = -64000000000;
  uint8 @6 :UInt8 = 200;
  uint16 @7 :UInt16;
  uint32 @8 :UInt32 = 4000000000;
  uint64 @9 :UInt64 = 18000000000000000000;
  float32 @10 :Float32 = 1.5;
  float64 @11 :Float64 = -2.25;
  colour @12 :Colour = green;
  text @13 :Text = "by default";
  data @14 :Data = 0x"00 ff 80";
  small @15 :Small = (x = 5, name = "default", flag = true);
  voids @16 :List(Void);
  flags @17 :List(Bool);
  int8s @18 :List(Int8);
  int16s @19 :List(Int16);
  int32s @20 :List(Int32) = [1, -2, 3];
  int64s @21 :List(Int64);
  float32s @22 :List(Float32);
  float64s @23 :List(Float64);
  colours @24 :List(Colour);
  texts @25 :List(Text);
  datas @26 :List(Data);
  smalls @27 :List(Small);
  kids @28 :List(Everything);
  nested @29 :List(List(Int16));
  deep @30 :List(List(List(Small)));
  box @31 :Box(Text);
  pair @32 :Pair(Small, List(UInt8));
  any @33 :AnyPointer;
  group :group {
    low @34 :UInt8 = 3;
    high @35 :Text;
    union {
      absent @36 :Void;
      number @37 :Int64;
      letters @38 :Text;
    }
  }
  union {
    none @39 :Void;
    bit @40 :Bool;
    word @41 :UInt16 = 77;
    string @42 :Text;
    kid @43 :Everything;
    list @44 :List(Small);
    both :group {
      left @45 :UInt32;
      right @46 :List(UInt64);
    }
  }
}
