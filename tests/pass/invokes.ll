; SPDX-License-Identifier: Apache-2.0
; Stores before an invoke.  opt -load-pass-plugin=OptMigPass.so -passes=optmig -S
target datalayout = "e-m:e-p270:32:32-p271:32:32-p272:64:64-i64:64-f80:128-n8:16:32:64-S128"
target triple = "x86_64-pc-linux-gnu"

declare void @outside(i8*)
declare i32 @__gxx_personality_v0(...)

; What was stored before an invoke is marked before it, also on the way where it throws.
; CHECK-LABEL: define void @before(
; CHECK: store i8 7, i8* %p
; CHECK: store volatile i8 1
; CHECK: invoke void @outside(i8* %p)
; CHECK: landingpad
; CHECK-NEXT: cleanup
; CHECK-NEXT: store i8 8, i8* %p
; CHECK: store volatile i8 1
; CHECK: resume
define void @before(i8* %p) personality i8* bitcast (i32 (...)* @__gxx_personality_v0 to i8*) {
  store i8 7, i8* %p
  invoke void @outside(i8* %p) to label %out unwind label %thrown

out:
  ret void

thrown:
  %pad = landingpad { i8*, i32 } cleanup
  store i8 8, i8* %p
  resume { i8*, i32 } %pad
}
