// Makes amounts_vi.json: npm install read-vietnamese-number@2.3.1 beside this file, then node amounts_vi.mjs
import {ReadingConfig,doReadNumber} from 'read-vietnamese-number'
import {writeFileSync} from 'fs'
const c=new ReadingConfig(); c.unit=[]
const named=[0n,1n,4n,5n,10n,11n,14n,15n,20n,21n,24n,25n,55n,99n,100n,101n,104n,105n,110n,111n,115n,121n,124n,200n,999n,1000n,1001n,1004n,1010n,1015n,1100n,10000n,10001n,21000n,24000n,100000n,100005n,1000000n,1000001n,1000015n,1000100n,1001000n,1005000n,1010000n,21000000n,101000000n,185000000n,199800000n,999999999n,1000000000n,1000000001n,1000000005n,1000000015n,1000001000n,1001000000n,2000000000n,12500000000n,100000000005n,999999999999n,1000000000000n,1000000000001n,1000001000000n,1005000000000n,10n**13n,123456789012345n,999999999999999n,10n**15n,-1n,-5n,-1000015n,-185000000n]
let s=42n; const next=()=>{s=(s*6364136223846793005n+1442695040888963407n)%(1n<<64n);return s>>16n}
const all=[...named]
while(all.length<320){const digits=1n+next()%15n; let v=next()%(10n**digits); if(next()%3n===0n){const z=10n**(next()%digits); v=v/z*z} if(next()%3n===0n){v=v-(v%(10n**(digits*2n/3n)))+next()%30n} if(!all.includes(v))all.push(v)}
const rows=all.map(n=>[n.toString(),doReadNumber(n,c)])
writeFileSync(new URL('amounts_vi.json', import.meta.url),JSON.stringify({source:"npm read-vietnamese-number 2.3.1 (MIT), ReadingConfig with unit = []; numbers: chosen ones, then seeded random ones; written by amounts_vi.mjs beside this file",vectors:rows}).replace(/\],\[/g,'],\n[').replace('[[','[\n[')+'\n')
