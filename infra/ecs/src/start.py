import sys,time
sys.path=[p for p in sys.path if p]
import base64,json,os,tempfile,zlib,urllib.request as u
env=os.environ
for tries in range(30):
 try:
  with u.build_opener(u.ProxyHandler({})).open(env['ECS_CONTAINER_METADATA_URI_V4']+'/task',timeout=5) as reply:task=json.load(reply)
  words={'{worker_name}':'w-'+task['TaskARN'].split('/')[-1],'{address}':task['Containers'][0]['Networks'][0]['IPv4Addresses'][0]}
  break
 except (OSError,ValueError,LookupError) as error:
  why=error
  time.sleep(1)
else:sys.exit('the task metadata endpoint does not answer: %r'%why)
command=[zlib.decompress(base64.b64decode(part[5:])).decode() if part[:5]=='zlib:' else part for part in sys.argv[1:]]
for word in words:command=[part.replace(word,words[word]) for part in command]
home=tempfile.mkdtemp()
tls='DASK_DISTRIBUTED__COMM__TLS__'
for kind,names in (('CERT',('CA_FILE','SCHEDULER__CERT','WORKER__CERT')),('KEY',('SCHEDULER__KEY','WORKER__KEY'))):
 pem=env.pop('FAREGATE_TLS_'+kind,'')
 path=os.path.join(home,'tls.'+kind.lower())
 with os.fdopen(os.open(path,os.O_WRONLY|os.O_CREAT|os.O_EXCL,0o600),'wb') as file:file.write(base64.b64decode(pem))
 for name in names:env[tls+name]=path
try:os.execvp(command[0],command)
except OSError as error:sys.exit('cannot run %r: %s'%(command[0],error))
